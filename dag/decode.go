package dag

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// The members of the objects of a definition, in the order in which they are
// written. See the package comment for what they mean.
var (
	dagMembers = []string{
		"tags", "parameters", "jobDefaults", "executionParameters", "tasks",
	}
	poolMembers = []string{"pool", "poolParameters"}
	taskMembers = []string{
		"job", "parents", "children", "parameters", "isGenerator", "maxRetries",
		"retryIntervalSeconds", "notBefore", "pool", "priority",
		"name", "command", "commandString", "retry",
	}
	jobMembers = []string{
		"command", "commandString", "environment", "workDir", "timeLimitSeconds",
		"cores", "memoryMB", "gpus", "resources",
	}
)

// known finds a member among those there are, and reports whether it should be
// read: it is one, and for the first time.
func (d *decoder) known(m *member, members []string) bool {
	for i, name := range members {
		if string(m.key) != name {
			continue
		}
		d.in(name)
		if m.seen&(1<<i) != 0 {
			d.twice(m)
			return false
		}
		m.seen |= 1 << i
		return true
	}
	return false
}

// unknown reports a member that there is not, and skips it.
func (d *decoder) unknown(m *member, members []string, hint string) {
	key := string(m.key)
	if hint == "" {
		hint = d.memberHint(key, members)
	}
	d.in("")
	d.report(m.at, "unknown member "+quote(key), hint)
	d.skip()
}

func (d *decoder) memberHint(key string, members []string) string {
	if name := caseTwin(key, members); name != "" {
		return fmt.Sprintf("write it as %q", name)
	}
	if hint := d.guess.didYouMean(key, members); hint != "" {
		return hint
	}
	return "there are " + strings.Join(members, ", ")
}

// caseTwin returns the member that differs from key in case only.
func caseTwin(key string, members []string) string {
	for _, name := range members {
		if key != name && strings.EqualFold(key, name) {
			return name
		}
	}
	return ""
}

func (d *decoder) readDAG(v *DAG) {
	if k := d.kind(); k != object {
		d.expectedObject(k)
		return
	}
	d.enter()
	m := member{}
	for d.next(&m) {
		if !d.known(&m, dagMembers) {
			if !slices.Contains(dagMembers, string(m.key)) {
				d.unknown(&m, dagMembers, dagHint(string(m.key)))
			}
			continue
		}
		switch string(m.key) {
		case "tags":
			v.Tags = d.readTexts()
		case "parameters":
			v.Parameters = d.readParameters()
		case "jobDefaults":
			d.readJob(&v.JobDefaults, "jobDefaults.", new(uint32))
		case "executionParameters":
			d.readPool(v)
		case "tasks":
			v.Tasks = d.readTasks()
		}
	}
	if d.in(""); m.seen&(1<<slices.Index(dagMembers, "tasks")) == 0 && !d.broken {
		d.report(d.start, `the member "tasks" is missing`,
			`it holds the tasks by name: {"tasks": {…}}`)
	}
}

// expectedObject reports that the text as a whole is something else.
func (d *decoder) expectedObject(k kind) {
	if k != noKind {
		d.wreck(d.start, "expected an object, found "+k.String(), "")
	}
}

func dagHint(key string) string {
	if slices.Contains(poolMembers, key) {
		return fmt.Sprintf(`it belongs into "executionParameters": {%q: …}`, key)
	}
	return ""
}

func (d *decoder) readPool(v *DAG) {
	if !d.want(object, "an object") {
		return
	}
	d.enter()
	defer func(prefix string) { d.prefix = prefix }(d.prefix)
	d.prefix += "executionParameters."
	for m := (member{}); d.next(&m); {
		if !d.known(&m, poolMembers) {
			if !slices.Contains(poolMembers, string(m.key)) {
				d.unknown(&m, poolMembers, "")
			}
			continue
		}
		switch string(m.key) {
		case "pool":
			v.Pool = d.readName()
		case "poolParameters":
			v.PoolOptions = d.readOptions()
		}
	}
}

// readAll reads the whole text with read, which reads one value.
func (d *decoder) readAll(limit int64, what string, read func()) error {
	// A byte order mark means nothing in UTF-8, but some editors write it.
	if bytes.HasPrefix(d.data, []byte("\xef\xbb\xbf")) {
		d.at = 3
	}
	switch bad := invalidUTF8(d.data); {
	case int64(len(d.data)) > limit:
		d.wreck(0, fmt.Sprintf("%s has %d bytes, the limit is %d", what, len(d.data), limit), "")
	case bad >= 0:
		d.wreck(bad, "the text is not valid UTF-8", "")
	default:
		read()
		d.task, d.prefix = "", ""
		d.in("")
		if d.space(); d.at < len(d.data) {
			d.wreck(d.at, "expected the end of the text, found "+d.here(), "")
		}
	}
	return d.err()
}

// sizeHint guesses how many tasks there will be, if the rest is like the start.
func (d *decoder) sizeHint(tasks, start int) int {
	perTask := max(1, (d.at-start)/max(1, tasks))
	rest := (len(d.data) - d.at) / perTask
	// Numbers get longer, so that there will be a few less.
	return max(16, min(rest, 1<<bits.Len(uint(tasks))*64, d.maxTasks-tasks))
}
