package executortest

import (
	"bytes"
	"errors"
	"maps"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

func e8Checks() []check {
	return []check{
		{"nothing is leased while work runs", leasesNothing},
		{"work runs when all is leased", runsWhenLeased},
	}
}

// allocator returns what the executor says that the runner leases from.
func (l *lab) allocator() *capacity.Allocator {
	l.Helper()
	if a, ok := executor.As[executor.Allocating](l.executor); ok && a.Allocator() != nil {
		return a.Allocator()
	}
	l.Log("not checked: it has no allocator")
	return nil
}

// leased is an attempt that has a core of the allocator's first node.
func (l *lab) leased(job dag.Job, a *capacity.Allocator) *executor.Attempt {
	l.Helper()
	nodes := a.Nodes()
	if len(nodes) == 0 {
		l.Fatal("the allocator of the executor has no node")
	}
	job.Resources = maps.Clone(job.Resources)
	if job.Resources == nil {
		job.Resources = dag.Resources{}
	}
	job.Resources[dag.Cores] = 1
	attempt := l.attempt(job)
	attempt.Node = nodes[0].Name
	return attempt
}

func leasesNothing(l *lab) {
	allocator := l.allocator()
	if allocator == nil {
		return
	}
	h := l.hold()
	t := l.launch(l.executor, l.leased(l.config.Jobs.Wait(h.address()), allocator), nil)
	g := h.next(t)
	for _, node := range allocator.Nodes() {
		if node.Leases != 0 {
			l.Errorf("the executor has taken %d leases of node %q", node.Leases, node.Name)
		}
	}
	g.release()
	if res := t.succeed(); res.Node != "" && res.Node != t.Node {
		l.Errorf("it ran on node %q, %q was leased", res.Node, t.Node)
	}
}

func runsWhenLeased(l *lab) {
	allocator := l.allocator()
	if allocator == nil {
		return
	}
	attempt := l.leased(l.config.Jobs.Exit(0), allocator)
	for _, node := range allocator.Nodes() {
		lease := allocator.Restore(node.Name, node.Total)
		defer lease.Release()
	}
	t := l.launch(l.executor, attempt, nil)
	t.succeed()
}

func r4Checks() []check { return []check{{"a panic is a failure with a stack", panics}} }

// panics lets the panic leave Run as well: the runner recovers it there.
func panics(l *lab) {
	jobs := l.config.Jobs
	if l.weaker(l.config.Weaker.NoPanics, jobs.Panic == nil, "Panic") {
		return
	}
	t := l.start(jobs.Panic())
	res, err := t.wait()
	p, ok := errors.AsType[*executor.PanicError](err)
	if !ok {
		l.Fatalf("Run returned (%v, %v) after a panic, want a PanicError", res, err)
	}
	if p.Value != PanicValue {
		l.Errorf("the value of the panic is %v, want %q", p.Value, PanicValue)
	}
	if !bytes.Contains(p.Stack, []byte("goroutine ")) {
		l.Errorf("the panic has no stack: %q", p.Stack)
	}
	l.taskFailure(t)
}
