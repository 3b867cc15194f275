// Package lease has engines keep runs in stores that give them for a time only:
// a [Keeper] renews what it was given until it is released, and says in time when
// that fails.
//
// It keeps engines from working on the same run by mistake. That no two of them
// append to it is kept by the log's Append alone, whatever clocks and servers do.
package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// A Store gives runs to engines, and leases end by its clock. Its methods may be
// called at once.
type Store interface {
	// Take gives the run to the engine for a term, also if the engine has it
	// already. It fails with statelog.ErrActive if another engine
	// has it.
	Take(ctx context.Context, run, engine string) error
	// Renew has the lease of an engine begin anew. It fails with
	// statelog.ErrActive if the engine does not have the run any more.
	Renew(ctx context.Context, run, engine string) error
	// Give ends the lease, unless another engine has the run.
	Give(ctx context.Context, run, engine string) error
}

// ErrClosed is the error of Lock after Close.
var ErrClosed = errors.New("the log is closed")

// giveTime is how long a run may take to be given back when the store is away.
// Its lease ends by itself then.
const giveTime = 5 * time.Second

// A Keeper keeps the leases of one log. Use [New]. It is safe for concurrent use.
type Keeper struct {
	store           Store
	term, lostAfter time.Duration

	// mu guards the fields below.
	mu sync.Mutex
	// leases are those that were not released, by run. All but the last of a run
	// are lost.
	leases map[string][]*lease
	closed bool
}

// New returns a Keeper of leases that the store gives for a term. They count as
// lost when the last renewal that has come back was asked for lostAfter ago: the
// rest of the term is left to stop work in.
func New(store Store, term, lostAfter time.Duration) *Keeper {
	return &Keeper{
		store: store, term: term, lostAfter: lostAfter, leases: make(map[string][]*lease),
	}
}

// Lock is that of a [statelog.Locker].
func (k *Keeper) Lock(
	ctx context.Context, run, engine string,
) (release func() error, err error) {
	le := &lease{run: run, engine: engine}
	// The store gives a run to the same engine as often as it asks. Its place here
	// is taken first, so that only one lease is renewed and given back.
	if err := k.reserve(le); err != nil {
		return nil, err
	}
	asked := time.Now()
	if err = k.store.Take(ctx, run, engine); err == nil {
		err = k.start(context.WithoutCancel(ctx), le, asked)
	}
	if err != nil {
		k.drop(le)
		return nil, err
	}
	return sync.OnceValue(func() error {
		return k.release(context.WithoutCancel(ctx), le)
	}), nil
}

// reserve fails if the run has a lease that is not lost.
func (k *Keeper) reserve(le *lease) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	for _, other := range k.leases[le.run] {
		if !other.isLost() {
			return fmt.Errorf("engine %q has it: %w", other.engine, statelog.ErrActive)
		}
	}
	k.leases[le.run] = append(k.leases[le.run], le)
	return nil
}

// start starts the renewing, unless the Keeper was closed meanwhile. Then the
// lease ends by itself.
func (k *Keeper) start(ctx context.Context, le *lease, asked time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return ErrClosed
	}
	ctx, le.stop = context.WithCancel(ctx)
	le.ended = make(chan struct{})
	go func() {
		defer close(le.ended)
		k.renew(ctx, le, asked)
	}()
	return nil
}

// release gives the run back. One that is lost may be another's, even of the same
// engine, and is left to the end of its lease.
func (k *Keeper) release(ctx context.Context, le *lease) error {
	// Before it is given back, nobody here can take what would then be given back.
	defer k.drop(le)
	le.end()
	if le.isLost() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, giveTime)
	defer cancel()
	return k.store.Give(ctx, le.run, le.engine)
}

func (k *Keeper) drop(le *lease) {
	k.mu.Lock()
	defer k.mu.Unlock()
	rest := slices.DeleteFunc(k.leases[le.run], func(other *lease) bool { return other == le })
	if k.leases[le.run] = rest; len(rest) == 0 {
		delete(k.leases, le.run)
	}
}

// OnLost is that of a [statelog.Leased]. f is called at once if the lease of the
// engine is lost already, and never if the engine has no lease.
func (k *Keeper) OnLost(run, engine string, f func()) (stop func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, le := range slices.Backward(k.leases[run]) {
		if le.engine == engine {
			return le.onLost(f)
		}
	}
	return func() {}
}

// Close ends all renewing and waits for that. Leases end by themselves, unless
// they are released.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	var renewed []*lease
	for _, leases := range k.leases {
		for _, le := range leases {
			if le.stop != nil {
				renewed = append(renewed, le)
			}
		}
	}
	k.mu.Unlock()
	for _, le := range renewed {
		le.end()
	}
}
