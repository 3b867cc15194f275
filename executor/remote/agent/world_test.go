package agent_test

import (
	"context"
	"errors"
	"sync"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A world is a durable executor whose attempts outlive daemons, in memory. It attaches
// by the key alone, as fork does, and says when somebody does what must not be done.
type world struct {
	mu      sync.Mutex
	things  map[string]*thing
	refuse  func() bool // an attempt is not started
	starts  map[string]int
	wrong   []string
	running int64
	cores   int64
}

// A thing is what a key has started.
type thing struct {
	over    chan struct{}
	res     executor.Result
	stopped bool
	closed  bool // it never starts
}

func newWorld(cores int64, refuse func() bool) *world {
	return &world{
		things: map[string]*thing{}, starts: map[string]int{}, refuse: refuse, cores: cores,
	}
}

var errWorld = errors.New("no command")

func (w *world) Validate(job dag.Job) error {
	if len(job.Command) == 0 {
		return errWorld
	}
	return nil
}

func (w *world) Durable() bool { return true }

func (w *world) Forget(_ context.Context, keys ...string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range keys {
		if t := w.things[key]; t != nil && !t.closed {
			select {
			case <-t.over:
			default:
				w.wrong = append(w.wrong, "forgotten while it runs: "+key)
			}
		}
	}
	return nil
}

func (w *world) Run(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
	if errors.Is(context.Cause(ctx), executor.ErrDetach) {
		return executor.Result{}, executor.ErrDetach
	}
	t, late, err := w.find(ctx, a)
	if err != nil {
		return executor.Result{}, err
	}
	if late {
		return executor.Result{}, &executor.LostError{Err: errors.New("it was stopped before")}
	}
	a.Report(executor.Status{Running: true})
	select {
	case <-t.over:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), executor.ErrDetach) {
			return executor.Result{}, executor.ErrDetach
		}
		w.end(t, executor.Result{ExitCode: -1, Signal: "SIGTERM"}, true)
	}
	_, err = a.Stdout.Write([]byte("out of " + a.Key))
	return t.res, err
}

// find starts what was not started, and attaches to what was.
func (w *world) find(ctx context.Context, a *executor.Attempt) (t *thing, late bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t = w.things[a.Key]
	switch {
	case t != nil && t.closed:
		return nil, false, &executor.LostError{Err: errors.New("closed")}
	case t != nil:
		select {
		case <-t.over:
			return t, t.stopped, nil
		default:
			return t, false, nil
		}
	case ctx.Err() != nil:
		w.things[a.Key] = &thing{closed: true}
		return nil, false, context.Cause(ctx)
	case len(a.Job.Command) == 0:
		return nil, false, errWorld
	case w.refuse():
		return nil, false, &executor.NotStartedError{Err: errors.New("not now")}
	}
	w.starts[a.Key]++
	if w.running++; w.running > w.cores {
		w.wrong = append(w.wrong, "more than there is room for: "+a.Key)
	}
	t = &thing{over: make(chan struct{})}
	w.things[a.Key] = t
	return t, false, nil
}

func (w *world) end(t *thing, res executor.Result, stopped bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-t.over:
	default:
		t.res, t.stopped = res, stopped
		w.running--
		close(t.over)
	}
}

// endSome ends everything that runs of which pick says so.
func (w *world) endSome(pick func() bool) {
	w.mu.Lock()
	var chosen []*thing
	for _, t := range w.things {
		if !t.closed && pick() {
			chosen = append(chosen, t)
		}
	}
	w.mu.Unlock()
	for _, t := range chosen {
		w.end(t, executor.Result{}, false)
	}
}
