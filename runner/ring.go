package runner

// ring is a first-in-first-out queue of attempts that workers take from.
type ring struct {
	buf   []*attempt // its length is a power of two
	head  int
	count int
}

func (r *ring) len() int { return r.count }

func (r *ring) push(a *attempt) {
	if r.count == len(r.buf) {
		bigger := make([]*attempt, max(16, 2*len(r.buf)))
		for i := range r.count {
			bigger[i] = r.buf[(r.head+i)&(len(r.buf)-1)]
		}
		r.buf, r.head = bigger, 0
	}
	r.buf[(r.head+r.count)&(len(r.buf)-1)] = a
	r.count++
}

// pop returns nil if the ring is empty.
func (r *ring) pop() *attempt {
	if r.count == 0 {
		return nil
	}
	a := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.count--
	return a
}
