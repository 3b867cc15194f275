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

// known finds a member among those there are; the name is "" if it is none. It
// is to be read if it is there for the first time, else it is skipped.
func (d *decoder) known(m *member, members []string) (name string, first bool) {
	for i, name := range members {
		if string(m.key) != name {
			continue
		}
		d.in(name)
		if m.seen&(1<<i) != 0 {
			d.twice(m)
			return name, false
		}
		m.seen |= 1 << i
		return name, true
	}
	return "", false
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
		switch name, first := d.known(&m, dagMembers); {
		case name == "":
			d.unknown(&m, dagMembers, dagHint(string(m.key)))
		case first:
			d.readDAGMember(v, name)
		}
	}
	if d.in(""); m.seen&(1<<slices.Index(dagMembers, "tasks")) == 0 && !d.broken {
		d.report(d.start, `the member "tasks" is missing`,
			`it holds the tasks by name: {"tasks": {…}}`)
	}
}

func (d *decoder) readDAGMember(v *DAG, name string) {
	switch name {
	case "tags":
		v.Tags = d.readTexts()
	case "parameters":
		v.Parameters = d.readParameters()
	case "jobDefaults":
		d.jobSeen = 0
		d.readJob(&v.JobDefaults, "jobDefaults.")
	case "executionParameters":
		d.readPool(v)
	case "tasks":
		v.Tasks = d.readTasks()
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
		switch name, first := d.known(&m, poolMembers); {
		case name == "":
			d.unknown(&m, poolMembers, "")
		case first && name == "pool":
			v.Pool = d.readName()
		case first:
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
