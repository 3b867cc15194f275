package executortest

import (
	"bytes"
	"context"
	"os"
	"strings"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

func forText(a *executor.Attempt) {
	stdout := a.Stdout
	a.Stdout = writer(func(p []byte) {
		_, _ = stdout.Write(bytes.ReplaceAll(p, []byte{0xff}, []byte("?")))
	})
}

func mixes(a *executor.Attempt) { a.Stderr = a.Stdout }

func truncates(a *executor.Attempt) {
	f, ok := a.Stdout.(*os.File)
	if !ok {
		return
	}
	a.Stdout = writer(func(p []byte) { _ = os.WriteFile(f.Name(), p, 0o600) })
}

func closes(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error) {
	if f, ok := a.Stdout.(*os.File); ok {
		defer func() { _ = f.Close() }()
	}
	return next.Run(ctx, a)
}

func buffers(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error) {
	var kept bytes.Buffer
	other := *a
	other.Stdout = &kept
	res, err := next.Run(ctx, &other)
	_, _ = a.Stdout.Write(kept.Bytes())
	return res, err
}

func cuts(a *executor.Attempt) {
	stdout, left := a.Stdout, 1<<20
	a.Stdout = writer(func(p []byte) {
		p = p[:min(left, len(p))]
		left -= len(p)
		_, _ = stdout.Write(p)
	})
}

// waitsForEver says that it waits when it runs.
func waitsForEver(a *executor.Attempt) {
	report := a.OnReport
	a.OnReport = func(executor.Status) { report(executor.Status{Reason: "busy"}) }
}

func noEnvironment(a *executor.Attempt) { a.Job.Environment = nil }

func anonymous(a *executor.Attempt) { a.Run, a.Instance = "", "" }

func shell(a *executor.Attempt) {
	a.Job.Command = strings.Fields(strings.Join(a.Job.Command, " "))
}

// leases takes what the runner has leased already. Others than the attempts that
// have a node are spared, since not all of them fit.
func leases(waits bool) func(c *Config) {
	return wrapped(func(
		ctx context.Context, a *executor.Attempt, next executor.Executor,
	) (executor.Result, error) {
		if a.Node == "" {
			return next.Run(ctx, a)
		}
		allocating, _ := executor.As[executor.Allocating](next)
		lease, err := take(ctx, allocating.Allocator(), waits)
		if err != nil {
			return executor.Result{}, err
		}
		defer lease.Release()
		return next.Run(ctx, a)
	})
}

func take(ctx context.Context, from *capacity.Allocator, waits bool) (*capacity.Lease, error) {
	one := dag.Resources{dag.Cores: 1}
	if waits {
		return from.Allocate(ctx, one)
	}
	return from.TryAllocate(one)
}
