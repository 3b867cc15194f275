package capacity

// Check says why [Allocator.TryAllocate] would refuse req now, as its error
// does, or returns nil. It leases nothing and leaves no trace.
func (a *Allocator) Check(req Resources) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, err := a.demand(req)
	if err != nil {
		return err
	}
	a.book.resolve(d)
	if d.possible && a.book.best(d) >= 0 {
		return nil
	}
	return a.book.refuse(d)
}
