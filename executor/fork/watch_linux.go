package fork

// maxThreads bounds the threads that block for commands; Go allows a program
// 10,000 in all.
const maxThreads = 256

// newWatch returns the quickest watch that there is. On a busy machine a thread
// that waits for its own command beats the runtime's poller by a quarter, as the
// kernel wakes it directly. What every system has comes last, for want of process
// descriptors, or of any other: the command runs already, and it is too late to
// refuse it.
func newWatch(s *system, p *child) watch {
	if p.pidfd < 0 {
		return newCopiers(s, p)
	}
	if s.threads.Add(1) <= maxThreads {
		w := newPoller(s, p)
		w.slot = true
		return w
	}
	s.threads.Add(-1)
	if w := newEpoll(p, &s.buffers); w != nil {
		return w
	}
	return newCopiers(s, p)
}
