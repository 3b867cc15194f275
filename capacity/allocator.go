package capacity

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/daggy-go/daggy/dag"
)

// An Allocator leases the capacity of a set of nodes. One Allocator may serve
// any number of executors and runs, and all its methods may be called
// concurrently.
//
// The zero Allocator is ready to use and has no nodes. An Allocator must not
// be copied after first use.
type Allocator struct {
	mu       sync.Mutex // guards all below and what hangs on it
	book     book
	oneCore  *demand    // of those who ask for nothing
	recent   [4]*demand // what was asked for last: most ask for the same again
	replaced int        // of recent
	watchers []*watcher // never altered in place
	slab     []Lease    // not used yet, see lease
}

type watcher struct{ f func() }

// New returns an Allocator with these nodes. Of nodes of the same name the
// last one counts.
func New(nodes ...Node) *Allocator {
	a := &Allocator{}
	for _, n := range nodes {
		a.SetNode(n)
	}
	return a
}

// TryAllocate leases req on the node where it fits with the least impact, the
// largest part that it takes of what is free of any of its resources (C1).
// Ties go to the first node by name.
//
// It does not wait: if req does not fit, or what is free is reserved for
// others who have been overtaken too often (C3), it returns a [*RefusedError].
// A refusal leaves no trace; who wants to keep asking and must not starve uses
// [Allocator.Prepare]. The other error is [ErrNegative]. req is not kept.
func (a *Allocator) TryAllocate(req Resources) (*Lease, error) {
	a.mu.Lock()
	d, err := a.demand(req)
	if err != nil {
		a.mu.Unlock()
		return nil, err
	}
	n, _ := a.book.take(d, nil)
	if n == nil {
		err := a.book.refuse(d)
		a.mu.Unlock()
		return nil, err
	}
	l := a.lease(n, d)
	a.mu.Unlock()
	return l, nil
}

// Allocate is TryAllocate that waits for room, in line with all others who do:
// first come, first served, except that who does not fit may be overtaken, see
// [MaxOvertaken].
//
// If no node that takes work is big enough it does not wait, or not any
// longer, and returns a [*RefusedError] whose Never is set. If ctx ends first
// the error wraps [context.Cause].
func (a *Allocator) Allocate(ctx context.Context, req Resources) (*Lease, error) {
	if ctx.Err() != nil {
		return nil, fmt.Errorf("capacity: %w", context.Cause(ctx))
	}
	a.mu.Lock()
	d, err := a.demand(req)
	if err != nil {
		a.mu.Unlock()
		return nil, err
	}
	if n, _ := a.book.take(d, nil); n != nil {
		l := a.lease(n, d)
		a.mu.Unlock()
		return l, nil
	}
	if !d.possible {
		err := a.book.refuse(d)
		a.mu.Unlock()
		return nil, err
	}
	w := &waiter{d: d, ready: make(chan struct{})}
	a.book.join(w)
	a.mu.Unlock()
	return a.wait(ctx, w)
}

func (a *Allocator) wait(ctx context.Context, w *waiter) (*Lease, error) {
	select {
	case <-w.ready:
	case <-ctx.Done():
		a.mu.Lock()
		freed := a.book.leave(w)
		if w.node != nil {
			// Granted at the same moment: the next in line can have it.
			a.book.release(w.node, w.d)
			freed = true
		}
		a.unlock(freed)
		return nil, fmt.Errorf("capacity: waiting for %s: %w", w.d, context.Cause(ctx))
	}
	if w.err != nil {
		return nil, w.err
	}
	return &Lease{a: a, node: w.node, d: w.d}, nil
}

// Restore leases req on the named node without asking whether it fits: a run
// that goes on after its engine has died finds work that occupies it already.
// Until enough of it is released nothing else is placed there.
//
// If there is no such node (yet), the lease counts as soon as there is. A
// negative amount counts as 0, and one above [MaxAmount] as that.
func (a *Allocator) Restore(node string, req Resources) *Lease {
	clean := make(Resources, len(req))
	for name, amount := range req {
		clean[name] = min(max(amount, 0), MaxAmount)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d, _ := a.demand(clean) // no negative amount is left
	for i := range d.needs {
		d.needs[i].column = a.book.column(d.needs[i].name)
	}
	n := a.book.node(node)
	a.book.place(n, d)
	return a.lease(n, d)
}

// Notify has f called whenever there may be room that was not there before,
// or may never be again: after a release, after something reserved was given
// up, and after any change of the nodes. Who was refused and asks again at
// each call misses nothing.
//
// f is called on the goroutine that caused it, within a method of the
// Allocator, a [Request] or a [Lease], with no lock held; so it must be quick
// and must not wait for that goroutine. Calls may be concurrent, and there may
// be more than needed. After stop, calls that are under way may still end.
func (a *Allocator) Notify(f func()) (stop func()) {
	w := &watcher{f}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.watchers = append(slices.Clip(a.watchers), w)
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.watchers = slices.DeleteFunc(slices.Clone(a.watchers), func(other *watcher) bool {
			return other == w
		})
	}
}

// unlock unlocks a.mu and, if room was freed, says so.
func (a *Allocator) unlock(freed bool) {
	watchers := a.watchers
	a.mu.Unlock()
	if freed {
		for _, w := range watchers {
			w.f()
		}
	}
}

// demand returns req in the form that the book takes. a.mu is held.
func (a *Allocator) demand(req Resources) (*demand, error) {
	if len(req) == 0 {
		if a.oneCore == nil {
			a.oneCore = oneCore()
		}
		return a.oneCore, nil
	}
	for _, d := range a.recent {
		if d != nil && d.asks(req) {
			return d, nil
		}
	}
	d, err := newDemand(req)
	if err != nil {
		return nil, err
	}
	a.recent[a.replaced] = d
	a.replaced = (a.replaced + 1) % len(a.recent)
	return d, nil
}

func oneCore() *demand {
	return &demand{needs: []need{{name: dag.Cores, amount: 1, column: -1}}}
}
