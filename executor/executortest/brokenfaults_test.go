package executortest

import (
	"context"
	"errors"

	"github.com/daggy-go/daggy/executor"
)

func stoppedIsLost(ctx context.Context, res executor.Result, err error) (executor.Result, error) {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, executor.ErrTimeLimit) {
		return executor.Result{}, &executor.LostError{Err: cause}
	}
	return res, err
}

func losesTooSoon(c *Config) {
	c.Lost = faulty(func(<-chan struct{}) run {
		return startsAndSays(&executor.LostError{Err: errors.New("no answer")})
	})
}

func losesVaguely(c *Config) {
	c.Lost = faulty(func(<-chan struct{}) run { return says(errors.New("lost")) })
}

func refusesTooLate(c *Config) {
	c.NotStarted = faulty(func(<-chan struct{}) run {
		return startsAndSays(&executor.NotStartedError{Err: errors.New("no answer")})
	})
}

func refusesVaguely(c *Config) {
	c.NotStarted = faulty(func(<-chan struct{}) run { return says(errors.New("no room")) })
}

func refusesForEver(c *Config) {
	c.NotStarted = faulty(func(<-chan struct{}) run { return refusing(nil) })
}

func says(err error) run {
	return func(
		context.Context, *executor.Attempt, executor.Executor,
	) (executor.Result, error) {
		return executor.Result{}, err
	}
}

// startsAndSays leaves the work to itself.
func startsAndSays(err error) run {
	return func(
		ctx context.Context, a *executor.Attempt, next executor.Executor,
	) (executor.Result, error) {
		running := make(chan struct{})
		other := *a
		other.OnReport = func(s executor.Status) {
			a.Report(s)
			close(running)
		}
		go func() { _, _ = next.Run(context.WithoutCancel(ctx), &other) }()
		<-running
		return executor.Result{}, err
	}
}

func forgetsCause(_ context.Context, res executor.Result, err error) (executor.Result, error) {
	res.Cause = ""
	return res, err
}

func panicIsExit(_ context.Context, res executor.Result, err error) (executor.Result, error) {
	if _, ok := errors.AsType[*executor.PanicError](err); ok {
		return executor.Result{ExitCode: 2}, nil
	}
	return res, err
}

func panicWithoutStack(
	_ context.Context, res executor.Result, err error,
) (executor.Result, error) {
	if p, ok := errors.AsType[*executor.PanicError](err); ok {
		return res, &executor.PanicError{Value: p.Value}
	}
	return res, err
}
