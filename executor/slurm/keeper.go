package slurm

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// A keeper does for all calls of Run together what each of them needs of Slurm:
// it lists the queue, submits and cancels. It works only while there are any.
type keeper struct {
	e *Executor

	mu       sync.Mutex // guards what follows
	session  *session
	items    map[string]*item
	names    map[jobName]*item
	piles    []*pile // to be submitted, in the order in which they were begun
	byGroup  map[string]*pile
	underway map[string]int // submissions that sbatch has, by group
	inQueue  int            // submitted, or being so
	full     time.Time      // when that was last made Config.MaxQueued
	begun    uint64         // listings
	cancels  []*cancellation
	cluster  evidence.Cluster
	asked    bool      // cluster is set
	tried    bool      // to ask for it
	pause    time.Time // nothing is submitted before
	failures int       // of submissions in a row
	most     int       // jobs that Slurm takes at once. 0: any number
	taken    int       // submissions since most was last made smaller
	next     time.Time // the next submission by the rate
	downtime string    // why the queue cannot be listed. "": it can
	watching func(*store)
	// unwatched: new files are found by listing alone. For tests in virtual time, in
	// which nobody can wait for the kernel.
	unwatched bool
}

// A session is a time in which there are calls of Run.
type session struct {
	cancel  context.CancelFunc
	stopped chan struct{} // closed when its goroutines have ended
	submit  chan struct{} // there may be something to submit
	scancel chan struct{} // there is something to cancel
}

func (k *keeper) init(e *Executor) {
	k.e = e
	k.items = map[string]*item{}
	k.names = map[jobName]*item{}
	k.byGroup = map[string]*pile{}
	k.underway = map[string]int{}
}

// join adds a call of Run, which is looked at when there is news. The item is
// made, unless there is one for its key.
func (k *keeper) join(made *item, r *run) *item {
	it, watching := k.add(made, r)
	if watching != nil {
		watching(it.store)
	}
	return it
}

func (k *keeper) add(made *item, r *run) (*item, func(*store)) {
	key := made.key
	k.mu.Lock()
	defer k.mu.Unlock()
	it := k.items[key]
	if it == nil {
		it = made
		k.items[key] = it
		for _, n := range it.names {
			k.names[n] = it
		}
		it.since = k.begun
		if it.stage == queued {
			k.push(it)
		} else {
			k.inQueue++
		}
	}
	it.watchers = append(it.watchers, r)
	if k.session == nil {
		k.start()
	}
	if it.stage == queued {
		poke(k.session.submit)
	}
	return it, k.watching
}

func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// leave takes a call of Run away. With the last one a session is over, which is
// then to be ended.
func (k *keeper) leave(it *item, r *run) *session {
	k.mu.Lock()
	defer k.mu.Unlock()
	it.watchers = slices.DeleteFunc(it.watchers, func(w *run) bool { return w == r })
	if len(it.watchers) > 0 {
		return nil
	}
	delete(k.items, it.key)
	for _, n := range it.names {
		delete(k.names, n)
	}
	if it.stage == queued {
		k.withdraw(it)
	} else {
		k.inQueue--
	}
	s := k.session
	if len(k.items) > 0 {
		poke(s.submit) // there may be room now
		return nil
	}
	k.session = nil
	return s
}

// end waits until all that the session has started has ended.
func (s *session) end() {
	s.cancel()
	<-s.stopped
}

// start begins a session, with mu held.
func (k *keeper) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s := &session{
		cancel: cancel, stopped: make(chan struct{}),
		submit: make(chan struct{}, 1), scancel: make(chan struct{}, 1),
	}
	k.session = s
	var g sync.WaitGroup
	g.Go(func() { k.list(ctx) })
	g.Go(func() { k.submissions(ctx, s.submit) })
	g.Go(func() { k.cancellations(ctx, s.scancel) })
	if !k.unwatched {
		g.Go(func() { k.watch(ctx) })
	}
	go func() {
		g.Wait()
		close(s.stopped)
	}()
}

// picture returns what an item is like now.
func (k *keeper) picture(it *item) picture {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := &k.e.config
	p := picture{
		stage: it.stage, jobs: it.jobs, since: it.since, listed: it.listed, quiet: it.quiet,
		gone:   it.quiet >= 3 && time.Since(it.quietSince) >= c.Missing,
		failed: it.failed, text: it.text,
	}
	if p.text == "" && k.downtime != "" && it.stage != submitting {
		p.text = k.downtime
	}
	return p
}

// now returns the number of the last listing that was begun.
func (k *keeper) now() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.begun
}

// resubmit has an item submitted again, of which nothing is in the queue.
func (k *keeper) resubmit(it *item) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if it.stage != unsure || len(it.watchers) == 0 {
		return
	}
	k.inQueue--
	k.push(it)
	if k.session != nil {
		poke(k.session.submit)
	}
}

// wakeAll lets the calls of Run for these keys look.
func (k *keeper) wakeAll(keys ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		if it := k.items[key]; it != nil {
			it.wake()
		}
	}
}
