package runner_test

import (
	"context"
	"slices"
	"sync"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

type (
	attempt = executor.Attempt
	result  = executor.Result
)

// recorder is an executor that notes what it ran, in order, and asks a function
// what to do.
type recorder struct {
	mu    sync.Mutex
	ran   []string
	do    func(ctx context.Context, a *attempt) (result, error)
	slots *capacity.Allocator
}

func (r *recorder) Validate(dag.Job) error { return nil }

func (r *recorder) Allocator() *capacity.Allocator { return r.slots }

func (r *recorder) Run(ctx context.Context, a *attempt) (result, error) {
	r.mu.Lock()
	r.ran = append(r.ran, a.Instance)
	r.mu.Unlock()
	if r.do == nil {
		return result{}, nil
	}
	return r.do(ctx, a)
}

// lasting makes an executor a durable one.
type lasting struct{ executor.Executor }

func (lasting) Durable() bool { return true }

func (lasting) Forget(context.Context, ...string) error { return nil }

func (r *recorder) order() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ran)
}

func task(name string, parents ...string) dag.Task {
	return dag.Task{Name: name, Job: dag.Command("run", name), Parents: parents}
}

func tasks(ts ...dag.Task) *dag.DAG { return &dag.DAG{Tasks: ts} }

func fail(code int) (result, error) { return result{ExitCode: code}, nil }

func states(r *runner.Report) map[string]runner.State {
	m := map[string]runner.State{}
	for t := range r.Tasks() {
		m[t.Name] = t.State
	}
	return m
}
