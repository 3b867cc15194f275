package executortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A broken executor breaks one rule and keeps the others.
type broken struct {
	rule    string
	name    string
	breaks  func(c *Config)
	durable bool
	hungry  bool          // it needs so much memory that others cannot be measured beside it
	quiet   time.Duration // the checks need to look this long. 0: as ever
}

func brokenOnes() []broken {
	return append([]broken{
		{rule: "Validate", name: "accepts any option", breaks: acceptsAnything},
		{rule: "Validate", name: "knows parameters already", breaks: refusesPlaceholders},

		{rule: "E1", name: "a failure is an error", breaks: answered(failureIsError)},
		{rule: "E1", name: "every failure is exit 1", breaks: answered(forgetsCode)},
		{rule: "E1", name: "a missing command succeeds", breaks: answered(neverFails)},
		{rule: "E1", name: "one at a time", breaks: oneAtATime},
		{
			rule: "E1", name: "returns before the output is written", breaks: wrapped(impatient),
			quiet: 3 * time.Second,
		},
		{rule: "E1", name: "keeps orphans", breaks: defective(defects{keepsOrphans: true})},

		{rule: "E2", name: "never asks", breaks: defective(defects{neverAsks: true})},
		{rule: "E2", name: "cannot kill", breaks: defective(defects{cannotKill: true})},
		{rule: "E2", name: "kills the child alone", breaks: defective(defects{keepsFamily: true})},
		{rule: "E2", name: "starts when ctx has ended", breaks: wrapped(startsEnded)},
		{rule: "E2", name: "walks away from what runs", breaks: wrapped(walksAway)},
		{rule: "E2", name: "detaches without being durable", breaks: wrapped(leaves)},

		{rule: "E3", name: "takes stopped for lost", breaks: answered(stoppedIsLost)},
		{
			rule: "E3", name: "takes a time-out for lost", breaks: losesTooSoon,
			quiet: 2 * time.Second,
		},
		{rule: "E3", name: "lost is any error", breaks: losesVaguely},
		{rule: "E4", name: "started all the same", breaks: refusesTooLate},
		{rule: "E4", name: "remembers the refusal", breaks: refusesForEver},
		{rule: "E4", name: "not started is any error", breaks: refusesVaguely},

		{rule: "E6", name: "is for text only", breaks: changed(forText)},
		{rule: "E6", name: "mixes the streams", breaks: changed(mixes)},
		{rule: "E6", name: "starts the file anew", breaks: changed(truncates)},
		{rule: "E6", name: "closes the file", breaks: wrapped(closes)},
		{rule: "E6", name: "keeps output in memory", breaks: wrapped(buffers), hungry: true},
		{rule: "E6", name: "cuts output", breaks: changed(cuts)},

		{rule: "E7", name: "reports to wait when it runs", breaks: changed(waitsForEver)},
		{rule: "E7", name: "forgets the cause", breaks: answered(forgetsCause)},

		{rule: "E8", name: "leases", breaks: leases(false)},
		{rule: "E8", name: "waits for room", breaks: leases(true)},

		{rule: "R4", name: "a panic is exit 2", breaks: answered(panicIsExit)},
		{rule: "R4", name: "a panic without a stack", breaks: answered(panicWithoutStack)},
		{rule: "S3", name: "no environment", breaks: changed(noEnvironment)},
		{rule: "S3", name: "does not say who it is", breaks: changed(anonymous)},
		{rule: "S4", name: "joins and splits words", breaks: changed(shell)},
	}, brokenDurables()...)
}

func brokenDurables() []broken {
	defect := func(name string, d defects) broken {
		breaks := machines(settings{durable: true, defects: d})
		return broken{rule: "E5", name: name, breaks: breaks, durable: true}
	}
	return []broken{
		defect("starts twice", defects{startsTwice: true}),
		defect("starts after closing", defects{startsLate: true}),
		defect("detaching stops", defects{detachStops: true}),
		defect("detaching closes", defects{detachCloses: true}),
		defect("attaches to what is new", defects{attachLate: true}),
		defect("closing leaves it running", defects{closeLeaves: true}),
		defect("closing does not say how it ended", defects{closeFails: true}),
		defect("forgets the key", defects{forgetsTheKey: true}),
		defect("loses what ends alone", defects{losesEnded: true}),
		defect("has one listener", defects{oneListener: true}),
		defect("says lost of what runs", defects{lostRuns: true}),
		defect("starts what is lost", defects{lostStarts: true}),
		defect("takes what was killed for failed", defects{neverLost: true}),
		defect("takes what was stopped for failed", defects{blamesTask: true}),
		defect("takes what was closed for failed", defects{blamesClosed: true}),
		{
			rule: "E7", name: "leaves limits to the engine", durable: true,
			breaks: machines(settings{durable: true, defects: defects{forgetsLimit: true}}),
		},
	}
}

// validator replaces Validate.
type validator struct {
	executor.Executor
	validate func(job dag.Job) error
}

func (v validator) Validate(job dag.Job) error { return v.validate(job) }
func (v validator) Unwrap() executor.Executor  { return v.Executor }

func validates(c *Config, validate func(job dag.Job) error) {
	around(c, func(ex executor.Executor) executor.Executor { return validator{ex, validate} })
}

func acceptsAnything(c *Config) {
	validates(c, func(dag.Job) error { return nil })
}

func refusesPlaceholders(c *Config) {
	validates(c, func(job dag.Job) error {
		if len(job.Options) > 0 || strings.Contains(strings.Join(job.Command, " "), "{{") {
			return errors.New("no")
		}
		return nil
	})
}

func failureIsError(
	_ context.Context, res executor.Result, err error,
) (executor.Result, error) {
	if err == nil && res.ExitCode > 0 && res.Cause == "" {
		return executor.Result{}, fmt.Errorf("exit status %d", res.ExitCode)
	}
	return res, err
}

func forgetsCode(_ context.Context, res executor.Result, err error) (executor.Result, error) {
	if res.ExitCode > 1 {
		res.ExitCode = 1
	}
	return res, err
}

func neverFails(_ context.Context, res executor.Result, err error) (executor.Result, error) {
	if executor.IsPermanent(err) {
		err = nil
	}
	return res, err
}

func oneAtATime(c *Config) {
	around(c, func(ex executor.Executor) executor.Executor {
		var mu sync.Mutex
		return wrapper{ex, func(
			ctx context.Context, a *executor.Attempt, next executor.Executor,
		) (executor.Result, error) {
			mu.Lock()
			defer mu.Unlock()
			return next.Run(ctx, a)
		}}
	})
}

// impatient gives up on output a second after the end.
func impatient(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error) {
	queue, written := make(chan []byte), make(chan struct{})
	go func() {
		defer close(written)
		for p := range queue {
			_, _ = a.Stdout.Write(p)
		}
	}()
	other := *a
	other.Stdout = writer(func(p []byte) {
		select {
		case queue <- bytes.Clone(p):
		case <-time.After(time.Minute):
		}
	})
	res, err := next.Run(ctx, &other)
	close(queue)
	wait(written, time.Second)
	return res, err
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// startsEnded stops what it starts as soon as it runs.
func startsEnded(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error) {
	if ctx.Err() == nil {
		return next.Run(ctx, a)
	}
	fresh, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	other := *a
	other.OnReport = func(s executor.Status) {
		a.Report(s)
		stop()
	}
	return next.Run(fresh, &other)
}

// walksAway does not wait for what it should stop.
func walksAway(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error) {
	return abandon(ctx, a, next, func(cause error) bool {
		return !errors.Is(cause, executor.ErrTimeLimit)
	})
}

// leaves detaches from what nobody will find again.
func leaves(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error) {
	return abandon(ctx, a, next, func(cause error) bool {
		return errors.Is(cause, executor.ErrDetach)
	})
}

func abandon(
	ctx context.Context, a *executor.Attempt, next executor.Executor, when func(error) bool,
) (res executor.Result, err error) {
	if ctx.Err() != nil {
		return next.Run(ctx, a)
	}
	inner, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	type answer struct {
		res executor.Result
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		defer stop(nil)
		defer func() {
			if v := recover(); v != nil {
				answers <- answer{err: &executor.PanicError{Value: v}}
			}
		}()
		res, err := next.Run(inner, a)
		answers <- answer{res, err}
	}()
	select {
	case got := <-answers:
		return got.res, got.err
	case <-ctx.Done():
	}
	if when(context.Cause(ctx)) {
		return executor.Result{}, context.Cause(ctx)
	}
	stop(context.Cause(ctx))
	got := <-answers
	return got.res, got.err
}
