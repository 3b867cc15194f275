package remote

// Kept is how many keys are known to be somewhere.
func (e *Executor) Kept() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.kept)
}
