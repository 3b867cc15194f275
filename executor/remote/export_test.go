package remote

import "github.com/daggy-go/daggy/executor"

// Kept is how many keys are known to be somewhere.
func (e *Executor) Kept() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.kept)
}

// Begin does the first half of what Run does with an attempt, and join the second, after
// which the attempt is left alone by leave.
func (e *Executor) Begin(a *executor.Attempt) (join func() (leave func(), err error), err error) {
	n, err := e.nodeFor(a)
	return func() (func(), error) {
		w, err := n.join(a, n.describe(a), false)
		if err != nil {
			return nil, err
		}
		return func() { e.left(w) }, nil
	}, err
}
