package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// lazyTime is how long records wait for others that are in more of a hurry, so that
// they need no sync of their own.
const lazyTime = 50 * time.Millisecond

// retryTime is how long the journal is left alone after it could not be written.
const retryTime = time.Second

// lastTries is how often what could not be written is tried again when the daemon
// ends.
const lastTries = 3

// A flight is what goes to the disk together.
type flight struct {
	records []statelog.Record
	claims  []*attempt
	over    []string      // keys whose outcome is among the records
	done    chan struct{} // closed when err is set
	err     error
}

// A store is where a journal is kept: a filelog.Log.
type store interface {
	statelog.StateLogger
	statelog.Pruner
	Close() error
}

// A journal is written by one goroutine at a time: what comes while it is at it goes
// together next. Who has to wait for what it adds writes itself if nobody else is at
// it, so that one who is alone waits for the disk and for nobody else. There is a
// goroutine for what nobody waits for.
type journal struct {
	log    store
	logger *slog.Logger
	// landed is called for each flight when it is durable or has failed.
	landed func(*flight)
	// live returns how many records it would take to begin anew, and snapshot what
	// those are. Only the goroutine that writes calls them.
	live     func() int
	snapshot func() []statelog.Record
	wake     chan struct{} // has room for one
	turn     chan struct{} // likewise; it is full while somebody writes

	// Of who writes.
	id     string // of the journal
	run    string // where it is in the log
	after  uint64
	opened time.Time         // by the record that the run begins with
	least  uint64            // it is not begun anew before it has so many records
	owed   []statelog.Record // that could not be written, and have to be

	mu      sync.Mutex // guards the following
	next    *flight
	spare   flight // memory for the next
	urgent  bool
	armed   bool // the timer of what is lazy
	trouble error
	closing bool
}

// An urgency says when records are to be written.
type urgency uint8

const (
	lazy   urgency = iota // with others, or in a moment
	soon                  // now
	waited                // now, and whoever adds them waits, see journal.wait
)

// add has records written. Who needs to know when they are waits for the flight. At
// the end of the daemon it fails at once.
func (j *journal) add(u urgency, f func(*flight)) *flight {
	j.mu.Lock()
	if j.closing {
		j.mu.Unlock()
		late := &flight{done: make(chan struct{}), err: errEnding}
		close(late.done)
		return late
	}
	if j.next == nil {
		j.next = &flight{
			records: j.spare.records, claims: j.spare.claims, over: j.spare.over,
			done: make(chan struct{}),
		}
		j.spare = flight{}
	}
	next := j.next
	f(next)
	wake := u == soon && !j.urgent
	arm := u == lazy && !j.urgent && !j.armed
	j.urgent = j.urgent || u != lazy
	j.armed = j.armed || arm
	j.mu.Unlock()
	if wake {
		j.poke()
	}
	if arm {
		time.AfterFunc(lazyTime, j.due)
	}
	return next
}

// note has a record written some time soon.
func (j *journal) note(rec statelog.Record) {
	j.add(lazy, func(f *flight) { f.records = append(f.records, rec) })
}

// due says that what is lazy has waited long enough.
func (j *journal) due() {
	j.mu.Lock()
	j.armed = false
	j.urgent = true
	j.mu.Unlock()
	j.poke()
}

func (j *journal) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// problem is why nothing can be written for now.
func (j *journal) problem() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.trouble
}

// wait waits until a flight is durable, or has failed.
func (j *journal) wait(f *flight) error {
	select {
	case <-f.done:
		return f.err
	case j.turn <- struct{}{}:
		j.turnOver()
	default:
	}
	<-f.done
	return f.err
}

// turnOver writes what there is, and gives the turn back. It reports whether that was
// the end.
func (j *journal) turnOver() (closing bool) {
	f, closing := j.take()
	if f == nil && len(j.owed) > 0 {
		f = &flight{done: make(chan struct{})}
	}
	if f != nil {
		j.fly(f)
		if f.err == nil && !closing {
			j.renew(leastRenewed)
		}
	}
	// There is no later for what could not be written at the end.
	for tries := 0; closing && len(j.owed) > 0 && tries < lastTries; tries++ {
		j.fly(&flight{done: make(chan struct{})})
	}
	<-j.turn
	j.mu.Lock()
	more := j.urgent
	j.mu.Unlock()
	if more {
		j.poke()
	}
	return closing
}

// take returns what is to be written now.
func (j *journal) take() (f *flight, closing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.urgent || j.closing {
		f, j.next, j.urgent = j.next, nil, false
	}
	return f, j.closing
}

// close has the writer write what there is, and end.
func (j *journal) close() {
	j.mu.Lock()
	j.closing = true
	j.mu.Unlock()
	j.poke()
}

// write is the goroutine that writes what nobody waits for.
func (j *journal) write() {
	for range j.wake {
		j.turn <- struct{}{}
		if j.turnOver() {
			return
		}
	}
}

// fly writes a flight.
func (j *journal) fly(f *flight) {
	recs := f.records
	if len(j.owed) > 0 {
		recs = append(j.owed, recs...)
		j.owed = nil
	}
	err := j.append(recs)
	if err != nil {
		j.failed(f, recs, err)
	}
	j.mu.Lock()
	if j.trouble != nil && err == nil {
		j.logger.Info("the journal can be written again")
	}
	j.trouble = err
	j.mu.Unlock()
	f.err = err
	j.landed(f)
	close(f.done)
	j.reuse(f)
}

// reuse keeps the memory of a flight, unless it was a large one.
func (j *journal) reuse(f *flight) {
	const most = 4096
	clear(f.records)
	clear(f.claims)
	clear(f.over)
	if cap(f.records) > most {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.spare = flight{records: f.records[:0], claims: f.claims[:0], over: f.over[:0]}
}

// append writes records. With an error none of them counts.
func (j *journal) append(recs []statelog.Record) error {
	if len(recs) == 0 {
		return nil
	}
	ctx := context.Background() // what is to be written is to be written
	last, err := j.log.Append(ctx, j.run, j.after, recs)
	switch {
	case err == nil:
		j.after = last
		return nil
	case errors.Is(err, statelog.ErrAmbiguous), errors.Is(err, statelog.ErrFenced):
		err = errors.Join(err, j.reread())
	}
	return err
}

// reread finds out where the journal ends.
func (j *journal) reread() error {
	for rec, err := range j.log.Read(context.Background(), j.run, j.after) {
		if err != nil {
			return err
		}
		j.after = rec.Seq
	}
	return nil
}

// failed sees to it that a flight that has failed is not forgotten: claims are
// withdrawn, since they may be on the disk after all, and everything else is
// written later.
func (j *journal) failed(f *flight, recs []statelog.Record, err error) {
	j.logger.Error("the journal cannot be written: nothing new starts", slog.Any("err", err))
	claimed := map[string]bool{}
	for _, at := range f.claims {
		claimed[at.key] = true
	}
	for i := range recs {
		if recs[i].Kind != statelog.Intent || !claimed[recs[i].Ref] {
			j.owed = append(j.owed, recs[i])
		}
	}
	for key := range claimed {
		j.owed = append(j.owed, withdrawnRecord(key))
	}
	time.AfterFunc(retryTime, j.due)
}

// leastRenewed is how many records a journal has that is begun anew.
const leastRenewed = 100_000

// renew begins the journal anew when it has so many records, and most of it is of no use
// any more.
func (j *journal) renew(least uint64) {
	if j.after < max(least, j.least) || j.after < uint64(4*j.live()) {
		return
	}
	err := j.rotate(j.snapshot())
	j.least = 0
	if err != nil {
		// It goes on as it is, and for a while: to try takes long.
		j.least = 2 * j.after
		j.logger.Warn("the journal cannot be begun anew", slog.Any("err", err))
	}
}
