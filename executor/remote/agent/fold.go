package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/keyset"
	"github.com/daggy-go/daggy/statelog"
)

// A fold is what a journal says, record by record.
type fold struct {
	dir     string // of outputs
	id      string // of the journal
	seq     uint64
	starts  int    // of daemons
	boot    string // of the machine, when the daemon started that wrote last
	entries map[string]*attempt
	owners  map[string]string        // session by key
	renewed map[string]time.Duration // by session
	used    *keyset.Set
	// owed are keys that the executor may not have been told to forget.
	owed map[string]struct{}
}

func newFold(dir string) *fold {
	return &fold{
		dir: dir, entries: map[string]*attempt{}, owners: map[string]string{},
		renewed: map[string]time.Duration{}, used: keyset.New(), owed: map[string]struct{}{},
	}
}

// read folds a run of the log.
func (f *fold) read(ctx context.Context, log store, run string) error {
	for rec, err := range log.Read(ctx, run, 0) {
		if err != nil {
			return err
		}
		if err := f.add(&rec); err != nil {
			return fmt.Errorf("record %d of %s: %w", rec.Seq, run, err)
		}
		f.seq = rec.Seq
	}
	return nil
}

var errUnknownRecord = errors.New("it is of a kind that this version does not know")

// add folds a record. Every one may be there more than once.
func (f *fold) add(rec *statelog.Record) error {
	key := rec.Ref
	switch rec.Kind {
	case statelog.Opened:
		return f.opened(rec)
	case statelog.Resumed:
		if f.starts++; f.starts > 1 { // what a journal begins with is of the boot that follows
			f.booted(rec.Ref)
		}
		f.boot = rec.Ref
	case statelog.Intent:
		return f.claimed(rec)
	case statelog.Started:
		f.renewed[rec.Engine] = max(f.renewed[rec.Engine], bootClock(rec.Start))
	case statelog.NotStarted:
		if at := f.entries[key]; at != nil && at.open() {
			f.remove(key)
			if at.stopped != "" {
				f.used.Add(key) // it was closed before that was known
			}
		}
	case statelog.Done:
		return f.ended(rec)
	case statelog.Lost:
		if at := f.entries[key]; at != nil && at.phase == ended {
			o := at.outcome
			o.Gone, o.Inline, o.Stdout, o.Stderr = true, false, nil, nil
			at.outputs = nil
		}
	case statelog.Decided:
		return f.decided(rec)
	default:
		return errUnknownRecord
	}
	return nil
}

// booted is told of which boot of the machine everything is that comes now. If it is
// another one, the clock of leases began anew, and nobody has been heard of since.
func (f *fold) booted(id string) {
	if id != "" && id == f.boot {
		return
	}
	clear(f.renewed)
	for _, at := range f.entries {
		at.contact = 0
	}
}

func (f *fold) remove(key string) {
	delete(f.entries, key)
	delete(f.owners, key)
}

func (f *fold) opened(rec *statelog.Record) error {
	o := rec.Opened
	if o == nil {
		return errUnknownRecord
	}
	if v := o.Tags["agent"]; v != formatVersion {
		return fmt.Errorf("it was written by version %q of the daemon, this one reads %q", v,
			formatVersion)
	}
	f.id = o.KeyPrefix
	return nil
}

func (f *fold) claimed(rec *statelog.Record) error {
	resources, err := parseResources(rec.Reason)
	if err != nil {
		return err
	}
	if at := f.entries[rec.Ref]; at != nil || f.used.Has(rec.Ref) {
		return nil
	}
	h, err := parseHash(rec.State)
	if err != nil {
		return err
	}
	f.entries[rec.Ref] = &attempt{
		key: rec.Ref, hash: h, lease: rec.Delay, contact: bootClock(rec.Start),
		resources: resources, phase: accepted,
	}
	f.owners[rec.Ref] = rec.Engine
	return nil
}

func (f *fold) ended(rec *statelog.Record) error {
	f.owed[rec.Ref] = struct{}{}
	at := f.entries[rec.Ref]
	if at == nil {
		return nil // acknowledged before the record was written
	}
	failure, err := parseFailure(rec.Reason)
	if err != nil {
		return err
	}
	outputs, gone, err := parseOutputs(rec.Output, rec.Ref, f.dir)
	if err != nil {
		return err
	}
	at.outcome = &wire.Outcome{Failure: failure, Stopped: rec.State, Gone: gone}
	if rec.Result != nil {
		at.outcome.Result = *rec.Result
	}
	at.phase, at.outputs, at.endedAt, at.node = ended, outputs, rec.Time, rec.Node
	at.stopped, at.closer, at.late = rec.State, rec.Engine, rec.All
	at.inline()
	return nil
}

func (f *fold) decided(rec *statelog.Record) error {
	at := f.entries[rec.Ref]
	switch rec.Decision {
	case statelog.Kill:
		switch {
		case at == nil:
			f.used.Add(rec.Ref)
		case at.open():
			at.stopped, at.closer, at.late = rec.Reason, rec.Engine, rec.All
		}
	case statelog.Retry:
		if at != nil {
			f.owners[rec.Ref] = rec.Engine
			at.contact, at.lease = max(at.contact, bootClock(rec.Start)), rec.Delay
		}
	case statelog.Release:
		for key := range strings.SplitSeq(string(rec.Output), "\n") {
			f.used.Add(key)
			f.remove(key)
			if rec.All {
				f.owed[key] = struct{}{}
			}
		}
	case statelog.Hold:
		return f.used.AddRanges(rec.Output)
	default:
		return errUnknownRecord
	}
	return nil
}
