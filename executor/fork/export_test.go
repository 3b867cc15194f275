//go:build linux || darwin

package fork

import "sync"

// Portable makes e watch its commands as it does where there are no process
// descriptors.
func Portable(e *Executor) *Executor {
	e.system.newWatch = func(p *child, buffers *sync.Pool) watch { return newCopiers(p, buffers) }
	return e
}

// Explain explains what kept a command from being executed.
func Explain(err error) error { return explain(err, command{argv: []string{"/command"}}) }
