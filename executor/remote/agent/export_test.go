package agent

import (
	"context"
	"strconv"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/boot"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// A Store is where a journal is kept.
type Store = store

// NewWithStore is New with a journal whose log is what wrap makes of it.
func NewWithStore(ctx context.Context, c Config, wrap func(Store) Store) (*Agent, error) {
	open := func(ctx context.Context, dir string, c filelog.Config) (store, error) {
		log, err := openFiles(ctx, dir, c)
		if err != nil {
			return nil, err
		}
		return wrap(log), nil
	}
	return newAgent(ctx, c, open)
}

// SinceBoot is the clock of leases.
func SinceBoot() time.Duration { return boot.Since() }

// CheckLeases stops what would be over at that time.
func (a *Agent) CheckLeases(now time.Duration) { a.checkLeases(now) }

// Ticket returns the ticket of a time, of this boot of the machine or of another.
func (a *Agent) Ticket(at time.Duration, boot string) string {
	if boot == "" {
		boot = a.ticketBoot
	}
	return boot + "." + strconv.FormatInt(int64(at), ticketBase)
}

// Rotate begins the journal anew.
func (a *Agent) Rotate() error {
	j := a.journal
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	return j.rotate(j.snapshot())
}

// Renew begins the journal anew if most of it is of no use, however short it is.
func (a *Agent) Renew() {
	j := a.journal
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.renew(0)
}

// Records is how many records the journal has.
func (a *Agent) Records() uint64 {
	j := a.journal
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	return j.after
}

// Evict looks for what is too old at a time.
func (a *Agent) Evict(now time.Time) { a.evictOld(now) }

// Hash is what a journal has of a submission.
func Hash(salt string, sub *wire.Submission) (string, error) {
	h, err := hashOf(salt, sub)
	return h.String(), err
}

// ParseOutputs reads what a journal says of outputs, and writes it again.
func ParseOutputs(b []byte) ([]byte, error) {
	all, gone, err := parseOutputs(b, "k", "/")
	if err != nil {
		return nil, err
	}
	at := &attempt{outputs: all, outcome: &wire.Outcome{Gone: gone}}
	return appendOutputs(nil, at), nil
}

// FoldOwed returns the keys that the executor may forget, after these records.
func FoldOwed(recs ...statelog.Record) ([]string, error) {
	f := newFold("")
	for i := range recs {
		if err := f.add(&recs[i]); err != nil {
			return nil, err
		}
	}
	return sortedKeys(f.owed), nil
}
