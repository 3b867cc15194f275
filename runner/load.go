package runner

import (
	"runtime"
	"slices"
	"sync"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
)

// partSize is how many tasks are worth a goroutine.
const partSize = 4096

// inParts calls f for parts of the numbers below n, on as many processors as that
// is worth, and returns the problems in order.
func inParts(n int, f func(from, to int) []error) []error {
	parts := min(runtime.GOMAXPROCS(0), n/partSize+1)
	problems := make([][]error, parts)
	var all sync.WaitGroup
	for part := range parts {
		all.Go(func() { problems[part] = f(n*part/parts, n*(part+1)/parts) })
	}
	all.Wait()
	return slices.Concat(problems...)
}

// checkAll is check of many tasks.
func (p *pools) checkAll(tasks []dag.Task, templates []*expand.Template) error {
	problems := inParts(len(tasks), func(from, to int) []error {
		var problems []error
		for i := from; i < to && len(problems) < maxErrors; i++ {
			if err := p.check(&tasks[i], templates[i]); err != nil {
				problems = append(problems, err)
			}
		}
		return problems
	})
	return atOnce(problems)
}

// atOnce makes one error of problems, or nil if there are none.
func atOnce(problems []error) error {
	return multierror.Append(nil, problems[:min(len(problems), maxErrors)]...).ErrorOrNil()
}

// A loader checks tasks and copies what a run has to know of them.
type loader struct {
	def       *definition
	tasks     []dag.Task
	templates []*expand.Template
	check     func(*dag.Task, *expand.Template) error // nil: they were checked
}

// load fills in copies and planned for the tasks from one index to another. A
// task that asks for nothing gets the complement of its pool's index as its
// group, so that who places it need not look at it again.
func (l *loader) load(from, to int, copies []taskDef, planned []plan.Task) []error {
	var problems []error
	var words []string
	for i := from; i < to && len(problems) < maxErrors; i++ {
		t, template := &l.tasks[i], l.templates[i]
		if l.check != nil {
			if err := l.check(t, template); err != nil {
				problems = append(problems, err)
				continue
			}
		}
		planned[i] = planTask(t, template)
		copies[i] = copyTask(t, template, &words)
		if !l.def.pools.asks(t, template, &planned[i]) {
			pool, _ := l.def.pools.poolOf(t)
			planned[i].Group = ^int32(pool)
		}
	}
	return problems
}
