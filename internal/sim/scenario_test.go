package sim_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
)

// Names of the pools. Attempts of near die with their engine; those of far and
// queue outlive it. far has nodes of which capacity is leased.
const (
	near  = ""
	far   = "far"
	queue = "queue"
)

var poolNames = []string{near, far, queue}

// A scenario is what a seed says of the definition and of what its tasks do.
type scenario struct {
	salt uint64
	dag  *dag.DAG
}

const (
	maxTasks     = 7  // of a definition
	maxGenerated = 3  // by one instance of a generator
	maxDepth     = 2  // of generators made by generators
	hopeless     = 99 // failures that no retries are enough for
)

// newScenario draws a definition. Tasks whose place is in without are left out.
func newScenario(seed uint64, start time.Time, without map[string]bool) *scenario {
	s := &scenario{salt: seed, dag: &dag.DAG{Parameters: dag.Parameters{
		"p": dag.List("a", "b"), "q": dag.List("x", "y", "z"), "s": dag.Scalar("v"),
	}}}
	rnd := rand.New(rand.NewPCG(seed, 2))
	var all []string
	for i := range 1 + rnd.IntN(maxTasks) {
		t := drawTask(rnd, fmt.Sprint("t", i))
		for _, p := range all {
			if rnd.IntN(3) == 0 && !without[p] {
				t.Parents = append(t.Parents, p)
			}
		}
		// A barrier whose parents end after its time waits for a timer of no
		// length, which would race with the append of what ended.
		if rnd.IntN(6) == 0 && (len(t.Job.Command) > 0 || len(t.Parents) == 0) {
			t.NotBefore = start.Add(time.Duration(1+rnd.IntN(60)) * time.Second)
		}
		all = append(all, t.Name)
		if !without[t.Name] {
			s.dag.Tasks = append(s.dag.Tasks, t)
		}
	}
	return s
}

// drawTask draws a task without edges.
func drawTask(rnd *rand.Rand, name string) dag.Task {
	t := dag.Task{
		Name: name, Pool: poolNames[rnd.IntN(len(poolNames))],
		MaxRetries: rnd.IntN(3), Priority: rnd.IntN(3),
		// With none, the timer of the retry and the append of the failure would
		// race, and one seed could have two histories.
		RetryInterval: time.Duration(1+rnd.IntN(3)) * time.Second,
	}
	words := []string{"run", "{{s}}"}
	switch rnd.IntN(8) {
	case 0:
		words = append(words, "{{p}}")
	case 1:
		words = append(words, "{{q}}")
	case 2:
		return dag.Task{Name: name} // a barrier
	case 3:
		t.Generator = true
		if rnd.IntN(3) == 0 {
			words = append(words, "{{p}}")
		}
	case 4:
		return dag.Task{Name: name, Job: dag.Command("run", name)} // nothing but a command
	default: // one instance
	}
	t.Job = dag.Command(words...)
	if t.Pool == far {
		t.Job.Resources = dag.Resources{dag.Cores: 1 + rnd.Int64N(2)}
	}
	if rnd.IntN(6) == 0 {
		t.Job.TimeLimit = 40 * time.Second
	}
	return t
}

// hash draws a number that depends on the seed and the words alone.
func (s *scenario) hash(words ...any) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, s.salt, words)
	return h.Sum64()
}

// failures is how many attempts of an instance fail before one succeeds.
func (s *scenario) failures(k instance) int {
	n := s.hash("failures", k) % 100
	switch {
	case n < 62:
		return 0
	case n < 80:
		return 1
	case n < 92:
		return 2
	}
	return hopeless
}

// output is what an instance of a generator prints when it succeeds.
func (s *scenario) output(k instance) string {
	rnd := rand.New(rand.NewPCG(s.hash("output", k), 3))
	switch rnd.IntN(12) {
	case 0:
		return `{"half": {"command": ["x"`
	case 1:
		return ""
	case 2:
		return `{}`
	case 3:
		return `{"lonely": {"command": ["x"], "parents": ["nobody"]}}`
	default: // it prints tasks
	}
	tasks := make([]dag.Task, 0, maxGenerated)
	for i := range 1 + rnd.IntN(maxGenerated) {
		tasks = append(tasks, s.generated(rnd, k, i))
	}
	out, err := dag.FormatTasks(tasks)
	if err != nil {
		panic("sim: tasks that cannot be written: " + err.Error())
	}
	return string(out)
}

// generated draws a task that a generator makes. Two generators may choose the
// same name, and edges may make cycles.
func (s *scenario) generated(rnd *rand.Rand, k instance, i int) dag.Task {
	name := fmt.Sprintf("%sx%d-%d", k.task, k.index, i)
	if rnd.IntN(10) == 0 {
		name = "shared" + fmt.Sprint(i)
	}
	t := drawTask(rnd, name)
	if strings.Count(name, "x") > maxDepth {
		t.Generator = false
	}
	known := s.known()
	if len(known) > 0 && rnd.IntN(3) == 0 {
		t.Children = append(t.Children, known[rnd.IntN(len(known))])
	}
	if len(known) > 0 && rnd.IntN(4) == 0 {
		t.Parents = append(t.Parents, known[rnd.IntN(len(known))])
	}
	return t
}

// known are the tasks that exist in any case, but for barriers that wait for a
// time: see newScenario.
func (s *scenario) known() []string {
	var names []string
	for _, t := range s.dag.Tasks {
		if len(t.Job.Command) > 0 || t.NotBefore.IsZero() {
			names = append(names, t.Name)
		}
	}
	return names
}
