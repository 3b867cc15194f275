package capacity

// A Request is for those who ask again and again without waiting, like a
// scheduler: it is checked once, and a refusal is remembered. From its first
// refusal until it is granted or [Request.Leave] is called it stands in line
// with the callers of [Allocator.Allocate], can be overtaken no more often
// than they, and gets a node reserved like them (C3).
//
// All methods may be called concurrently; there is one place in line for all
// callers.
type Request struct {
	a *Allocator
	w waiter // guarded by a.mu
}

// Prepare returns a Request for req, which it does not keep. The error is
// [ErrNegative].
func (a *Allocator) Prepare(req Resources) (*Request, error) {
	d := oneCore()
	if len(req) > 0 {
		var err error
		if d, err = newDemand(req); err != nil {
			return nil, err
		}
	}
	return &Request{a: a, w: waiter{d: d}}, nil
}

// TryAllocate is [Allocator.TryAllocate] for what was prepared. When it is
// refused for now, but not for ever, the request keeps or takes its place in
// line: then ask again whenever [Allocator.Notify] calls, or call Leave, for a
// place in line may keep a node from others.
func (r *Request) TryAllocate() (*Lease, error) {
	a := r.a
	a.mu.Lock()
	n, freed := a.book.take(r.w.d, &r.w)
	if n == nil {
		err := a.book.refuse(r.w.d)
		switch {
		case err.Never:
			freed = a.book.leave(&r.w)
		case !r.w.queued:
			a.book.join(&r.w)
		}
		a.unlock(freed)
		return nil, err
	}
	l := a.lease(n, r.w.d)
	a.unlock(freed)
	return l, nil
}

// Leave gives up the place in line, if there is one, and what is reserved.
// The Request can be used again, from the end of the line.
func (r *Request) Leave() {
	r.a.mu.Lock()
	r.a.unlock(r.a.book.leave(&r.w))
}
