package fork

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
	"github.com/daggy-go/daggy/internal/invocation"
)

// A visit is one call of Run for an attempt that a supervisor runs.
type visit struct {
	client  *client
	a       *executor.Attempt
	node    string
	start   *wire.Start // nil: only to attach
	problem error       // why it cannot be started
	sent    bool        // it may have been started by this visit
	running bool        // that was reported
	outputs [2]*delivery
}

// run starts what the key of a has not started, or attaches to it.
func (c *client) run(
	ctx context.Context, e *Executor, a *executor.Attempt,
) (executor.Result, error) {
	if detached(ctx) {
		return executor.Result{}, context.Cause(ctx)
	}
	v := &visit{client: c, a: a, node: e.place(a)}
	v.prepare(e)
	if v.problem != nil && !a.Resumed && ctx.Err() == nil {
		return executor.Result{}, v.problem
	}
	defer v.close()
	const longest = time.Second
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longest) {
		over, res, err := v.once(ctx)
		if over {
			return res, err
		}
		a.Report(executor.Status{Reason: fmt.Sprintf("whether it runs is not known: %v", err)})
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			if detached(ctx) {
				return executor.Result{}, context.Cause(ctx)
			}
		}
	}
}

// prepare settles what to start.
func (v *visit) prepare(e *Executor) {
	c, err := e.command(v.a)
	if err == nil {
		err = checkKey(v.a.Key)
	}
	if err == nil {
		c.dir, err = filepath.Abs(c.dir) // that of the engine, if the job has none
	}
	if err != nil {
		v.problem = err
	} else {
		v.start = &wire.Start{
			Key: v.a.Key, Path: c.path, Dir: c.dir, Node: v.node, Argv: c.argv, Env: c.env,
			Resources: v.a.Job.Resources, Mode: byte(e.limits.Mode), Pids: e.limits.Pids,
			Grace: e.grace, WaitDelay: e.waitDelay, Limit: v.a.Job.TimeLimit,
		}
	}
	v.deliver()
}

// deliver makes the outputs.
func (v *visit) deliver() {
	joined := invocation.Joined(v.a.Stdout, v.a.Stderr)
	for i, w := range []io.Writer{v.a.Stdout, v.a.Stderr} {
		name := [2]string{"stdout", "stderr"}[i]
		v.outputs[i] = &delivery{
			output: output{name: name, fd: -1, w: w},
			path:   outputPath(v.client.state, v.a.Key, i),
		}
		if v.start != nil {
			v.start.Wanted[i] = w != io.Discard && (!joined || i == 0)
		}
	}
	if v.start != nil {
		v.start.Joined = joined && v.start.Wanted[0]
	}
}

func (v *visit) close() {
	for _, d := range v.outputs {
		d.close()
	}
}

// once makes a connection and follows the attempt over it. It is over unless that
// is not known: the supervisor could not be reached, or has gone away.
func (v *visit) once(ctx context.Context) (over bool, _ executor.Result, _ error) {
	late := ctx.Err() != nil
	reachable, cancel := reach(ctx)
	defer cancel()
	l, err := v.client.acquire(reachable)
	if err != nil {
		return v.harmless() || late || detached(ctx), executor.Result{}, v.unreachable(ctx, err)
	}
	defer v.client.release(l)
	return v.follow(ctx, l)
}

// harmless reports whether nothing can have been started for the key.
func (v *visit) harmless() bool { return !v.sent && !v.a.Resumed }

// unreachable says what it means that the supervisor could not be reached.
func (v *visit) unreachable(ctx context.Context, err error) error {
	_, silent := errors.AsType[*silentError](err)
	switch {
	case detached(ctx):
		return context.Cause(ctx)
	case !v.harmless():
		// Its text alone: err may be of the kind that says that nothing was started.
		return errors.New("fork: whether " + v.a.Key + " runs is not known: " + err.Error())
	case ctx.Err() != nil:
		return fmt.Errorf("fork: not started (%w), and not closed: %w", context.Cause(ctx), err)
	case silent:
		return &executor.NotStartedError{Err: fmt.Errorf("fork: %w", err)}
	}
	return fmt.Errorf("fork: %w", err)
}

// follow asks for the attempt and hears of it until it is over.
func (v *visit) follow(
	ctx context.Context, l *link,
) (over bool, _ executor.Result, _ error) {
	c := l.open()
	defer l.drop(c)
	if err := v.ask(ctx, l, c); err != nil {
		return true, executor.Result{}, err
	}
	defer v.stopOnEnd(ctx, l, c)()
	for range c.signal {
		n := c.take()
		switch {
		case n.gone:
			l.send(c, wire.Leave, nil)
			return true, executor.Result{}, context.Cause(ctx)
		case n.broken && n.outcome == nil && n.failure == nil:
			return false, executor.Result{}, errors.New("the supervisor has gone away")
		}
		v.tell(ctx, n)
		switch {
		case n.failure != nil:
			return true, executor.Result{}, v.refused(ctx, n.failure)
		case n.outcome != nil:
			res, err := v.ended(ctx, n.outcome)
			return true, res, err
		}
	}
	return false, executor.Result{}, nil // never: the channel is not closed
}

// ask says what is wanted of the key.
func (v *visit) ask(ctx context.Context, l *link, c *call) error {
	switch {
	case ctx.Err() != nil:
		l.send(c, wire.Close, v.stop(ctx).Append(nil))
	case v.start == nil:
		l.send(c, wire.Attach, []byte(v.a.Key))
	default:
		body := v.start.Append(nil)
		if len(body) > wire.MaxFrame-64 {
			return explain(syscall.E2BIG, command{argv: v.start.Argv, dir: v.a.Job.WorkDir})
		}
		v.sent = true
		l.send(c, wire.Run, body)
	}
	return nil
}

func (v *visit) stop(ctx context.Context) wire.Stop {
	late := errors.Is(context.Cause(ctx), executor.ErrTimeLimit)
	return wire.Stop{Key: v.a.Key, TimeLimit: late}
}

// stopOnEnd has the attempt stopped, or let go, when ctx ends. It works by itself,
// so that a writer that blocks does not keep the command alive. What it returns
// ends that.
func (v *visit) stopOnEnd(ctx context.Context, l *link, c *call) func() {
	var running sync.WaitGroup
	running.Add(1)
	cancel := context.AfterFunc(ctx, func() {
		defer running.Done()
		if detached(ctx) {
			c.tell(func(n *news) { n.gone = true })
			return
		}
		l.send(c, wire.Halt, v.stop(ctx).Append(nil))
	})
	return func() {
		if cancel() {
			running.Done()
		}
		running.Wait()
	}
}

// tell hands on what was heard.
func (v *visit) tell(ctx context.Context, n news) {
	if n.pid != 0 && !v.running {
		v.running = true
		ref := strconv.FormatUint(n.pid, 10)
		v.a.Report(executor.Status{Running: true, Ref: ref, Node: v.node})
	}
	for i, d := range v.outputs {
		d.add(n.offset[i], n.output[i])
		d.read(ctx, n.grown[i])
	}
}

// refused is for when nothing runs for the call.
func (v *visit) refused(ctx context.Context, f *wire.Failure) error {
	switch {
	case f.Class == wire.Closed && ctx.Err() != nil:
		return fmt.Errorf("fork: not started: %w", context.Cause(ctx))
	case f.Class == wire.Unknown && v.problem != nil:
		return v.problem
	}
	return v.restore(f)
}

// ended is for when the attempt is over.
func (v *visit) ended(ctx context.Context, o *wire.Outcome) (executor.Result, error) {
	for i, d := range v.outputs {
		if s := o.Streams[i]; s.Spilled() {
			d.read(ctx, s.Size)
		} else {
			d.add(0, s.Data)
		}
	}
	if detached(ctx) {
		return executor.Result{}, context.Cause(ctx) // some of it may not be written
	}
	if o.Failure != nil {
		return o.Result, v.restore(o.Failure)
	}
	return handedOn([]*output{&v.outputs[0].output, &v.outputs[1].output}, o.Result)
}

// restore names the working directory as the job does.
func (v *visit) restore(f *wire.Failure) error {
	if f.Command != "" {
		f.WorkDir = v.a.Job.WorkDir
	}
	return restore(f)
}
