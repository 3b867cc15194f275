package expand

import (
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// InstanceName is the name of instance i, from 0, of a multiplied task (D4).
func InstanceName(task string, i int) string {
	var room [64]byte
	return string(AppendInstanceName(room[:0], task, i))
}

// AppendInstanceName appends what [InstanceName] returns, for millions.
func AppendInstanceName(b []byte, task string, i int) []byte {
	return strconv.AppendInt(append(append(b, task...), '_'), int64(i)+1, 10)
}

// ParseInstanceName is the reverse of [InstanceName]. Whether there is such a
// task, and whether it has so many instances, is another matter.
func ParseInstanceName(name string) (task string, i int, ok bool) {
	task, number := cutInstanceName(name)
	i = parseNumber(number)
	if i < 0 {
		return "", 0, false
	}
	return task, i, true
}

// cutInstanceName cuts name at its last underscore. The number, if there is
// one, may be none.
func cutInstanceName(name string) (task, number string) {
	// Most names need only this look.
	if c := name[max(0, len(name)-1):]; c < "0" || c > "9" {
		return "", ""
	}
	at := strings.LastIndexByte(name, '_')
	if at <= 0 {
		return "", ""
	}
	return name[:at], name[at+1:]
}

// parseNumber returns the index of the instance with this number, or -1.
func parseNumber(number string) (i int) {
	if number == "" || number[0] < '1' || number[0] > '9' {
		return -1
	}
	n, err := strconv.Atoi(number)
	if err != nil {
		return -1
	}
	return n - 1
}

// Names are the names of the tasks of a run, and finds those that are also
// names of instances (D4): a task calc_2 beside a calc that is multiplied into
// two or more. It serves to check tasks as they come; [Validate] checks all the
// tasks of a definition.
//
// Names of instances are never written out for it: what it takes is constant
// for a task, whatever the number of its instances. Two instances never clash,
// since the last underscore of a name tells its task. That two tasks have one
// name is for package dag to find.
//
// The zero Names are empty. Names are not safe for concurrent use.
type Names struct {
	// multiplied has the number of instances by the name of the task.
	multiplied map[string]int
	// least has, for each T, the least i so that a task is named as instance i
	// of a task T would be.
	least map[string]int
}

// Add adds tasks: their names, and the number of instances of those that are
// multiplied, 0 for others. If a name clashes with another new or old one the
// error holds a [*dag.Problem] for each, and nothing has been added.
func (n *Names) Add(tasks iter.Seq2[string, int]) error {
	var found problems
	if added := n.check(tasks, &found); added != nil {
		n.merge(added)
	}
	return found.err()
}

// check returns the names of tasks alone, or nil if it has found a clash.
func (n *Names) check(tasks iter.Seq2[string, int], found *problems) *Names {
	added := Names{multiplied: map[string]int{}, least: map[string]int{}}
	for name, instances := range tasks {
		if instances > 0 {
			added.multiplied[name] = instances
		}
	}
	before := found.total()
	for name, instances := range tasks {
		if task, i, ok := ParseInstanceName(name); ok {
			count := max(added.multiplied[task], n.multiplied[task])
			if i < count {
				found.add(clash(name, task, count))
				continue
			}
			if least, ok := added.least[task]; !ok || i < least {
				added.least[task] = i
			}
		}
		// New ones among each other are done above.
		if i, ok := n.least[name]; ok && i < instances {
			found.add(clash(InstanceName(name, i), name, instances))
		}
	}
	if found.total() > before {
		return nil
	}
	return &added
}

func (n *Names) merge(added *Names) {
	if n.multiplied == nil {
		*n = *added
		return
	}
	for task, count := range added.multiplied {
		n.multiplied[task] = count
	}
	for task, i := range added.least {
		if least, ok := n.least[task]; !ok || i < least {
			n.least[task] = i
		}
	}
}

func clash(name, task string, count int) *dag.Problem {
	return &dag.Problem{
		Task: name, Field: "name",
		Text: fmt.Sprintf("this is also the name of an instance of task %s, which has %d",
			shorten(task), count),
		Hint: "rename one of the two tasks",
	}
}
