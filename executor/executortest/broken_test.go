package executortest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// A wrapper changes how an executor runs attempts.
type wrapper struct {
	executor.Executor
	run run
}

type run = func(
	ctx context.Context, a *executor.Attempt, next executor.Executor,
) (executor.Result, error)

func (w wrapper) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	return w.run(ctx, a, w.Executor)
}

func (w wrapper) Unwrap() executor.Executor { return w.Executor }

// healthy is the suite for a machine.
func healthy(durable bool) Config {
	c := Config{
		Jobs:       Commands("play"),
		Lost:       faulty(losing),
		NotStarted: faulty(refusing),
		Kill: func(_ testing.TB, ex executor.Executor) {
			m, _ := executor.As[*machine](ex)
			m.crash()
		},
		Concurrent: 20,
		flood:      16 << 20,
	}
	machines(settings{durable: durable})(&c)
	return c
}

// machines makes the suite check machines.
func machines(s settings) func(c *Config) {
	return func(c *Config) {
		patient, impatient := s, s
		patient.grace, impatient.grace = time.Minute, 10*time.Millisecond
		c.New = func(tb testing.TB) executor.Executor {
			tb.Helper()
			return newMachine(tb, patient)
		}
		c.Impatient = func(tb testing.TB) executor.Executor {
			tb.Helper()
			return newMachine(tb, impatient)
		}
	}
}

// around puts something around the executors of the suite.
func around(c *Config, f func(executor.Executor) executor.Executor) {
	patient, impatient := c.New, c.Impatient
	c.New = func(tb testing.TB) executor.Executor { tb.Helper(); return f(patient(tb)) }
	c.Impatient = func(tb testing.TB) executor.Executor { tb.Helper(); return f(impatient(tb)) }
}

// faulty is a machine with a run around it until it is relieved.
func faulty(until func(relieved <-chan struct{}) run) func(tb testing.TB) Fault {
	return func(tb testing.TB) Fault {
		tb.Helper()
		relieved := make(chan struct{})
		return Fault{
			Executor: wrapper{newMachine(tb, settings{grace: time.Minute}), until(relieved)},
			Job:      Commands("play").Wait,
			Relieve:  sync.OnceFunc(func() { close(relieved) }),
		}
	}
}

// losing ends the work before it is said to be lost.
func losing(<-chan struct{}) run {
	return func(
		ctx context.Context, a *executor.Attempt, next executor.Executor,
	) (executor.Result, error) {
		ctx, die := context.WithCancel(ctx)
		dying := *a
		dying.OnReport = func(executor.Status) { die() }
		_, err := next.Run(ctx, &dying)
		return executor.Result{}, &executor.LostError{Err: errors.Join(err, errors.New("power"))}
	}
}

// refusing starts nothing until it is relieved.
func refusing(relieved <-chan struct{}) run {
	return func(
		ctx context.Context, a *executor.Attempt, next executor.Executor,
	) (executor.Result, error) {
		if !wait(relieved, 0) {
			return executor.Result{}, &executor.NotStartedError{Err: errors.New("no room")}
		}
		return next.Run(ctx, a)
	}
}

// defective is a machine with defects.
func defective(d defects) func(c *Config) { return machines(settings{defects: d}) }

// wrapped puts f around a machine.
func wrapped(f run) func(c *Config) {
	return func(c *Config) {
		around(c, func(ex executor.Executor) executor.Executor { return wrapper{ex, f} })
	}
}

// changed runs attempts that were changed.
func changed(f func(a *executor.Attempt)) func(c *Config) {
	return wrapped(func(
		ctx context.Context, a *executor.Attempt, next executor.Executor,
	) (executor.Result, error) {
		other := *a
		f(&other)
		return next.Run(ctx, &other)
	})
}

// answered gives another answer than the machine.
func answered(
	f func(ctx context.Context, res executor.Result, err error) (executor.Result, error),
) func(c *Config) {
	return wrapped(func(
		ctx context.Context, a *executor.Attempt, next executor.Executor,
	) (executor.Result, error) {
		res, err := next.Run(ctx, a)
		return f(ctx, res, err)
	})
}
