package agent

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// evictPause is how often is looked for what is too old.
const evictPause = time.Minute

// mostEvicted is how many outcomes without output are kept.
const mostEvicted = 100_000

// keep notes that an attempt has ended. a.mu is held.
func (a *Agent) keep(at *attempt) {
	if at.outcome == nil {
		at.outputs = nil // nothing was started
	} else if at.outputs != nil && !at.outcome.Gone {
		at.kept = at.outputs[0].length() + at.outputs[1].length()
	}
	a.retained += at.kept
	if len(a.order) > 2*a.ended+mostKeptGone {
		a.tidy()
	}
	a.tooMuch() // not this one: somebody is about to fetch it
	a.order = append(a.order, at)
}

// mostKeptGone is how many attempts that are gone may be in the order that they ended
// in, so that it need not be tidied all the time.
const mostKeptGone = 1024

// tidy takes out what is gone. a.mu is held.
func (a *Agent) tidy() {
	a.order = slices.DeleteFunc(a.order, func(at *attempt) bool { return at.rev == 0 })
	a.light = 0
}

// tooMuch evicts outputs until there are not too many bytes of them, or only those that
// ended last. a.mu is held.
func (a *Agent) tooMuch() {
	if a.config.RetainBytes < 0 {
		return
	}
	for a.retained > a.config.RetainBytes && a.light < len(a.order) {
		if at := a.order[a.light]; at.rev != 0 && at.kept > 0 {
			a.evictOne(at)
		}
		a.light++
	}
}

// evictOne drops the outputs of an attempt that has ended. Its exit code stays.
// a.mu is held.
func (a *Agent) evictOne(at *attempt) {
	a.retained -= at.kept
	at.kept = 0
	o := at.outcome
	// Others may be reading the one that there was.
	at.outcome = &wire.Outcome{
		Result: executor.Result{
			ExitCode: o.Result.ExitCode, Signal: o.Result.Signal, Cause: o.Result.Cause,
			Node: o.Result.Node, Start: o.Result.Start, End: o.Result.End,
		},
		Failure: o.Failure, Stopped: o.Stopped, Gone: true,
	}
	if files := at.files(); len(files) > 0 {
		a.running.Go(func() { a.removeFiles(files) })
	}
	at.outputs = nil
	a.touch(at)
	if a.journal != nil {
		a.journal.note(evictedRecord(at.key))
	}
}

// files are those of the outputs of an attempt that has ended. Mostly there are none.
func (at *attempt) files() []string {
	var files []string
	if at.outputs != nil {
		for i := range at.outputs {
			if path := at.outputs[i].filed(); path != "" {
				files = append(files, path)
			}
		}
	}
	return files
}

func (a *Agent) removeFiles(files []string) {
	for _, path := range files {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			a.logger.Warn("an output cannot be removed", slog.Any("err", err))
		}
	}
}

// evict is the goroutine that looks for what is too old.
func (a *Agent) evict() {
	ticker := time.NewTicker(evictPause)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			a.evictOld(now)
		case <-a.ending:
			return
		}
	}
}

func (a *Agent) evictOld(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clients(now)
	a.tidy()
	if a.config.RetainAge < 0 {
		return
	}
	gone := 0
	for _, at := range a.order {
		old := now.Sub(at.endedAt) > a.config.RetainAge
		switch {
		case at.outcome == nil && old:
			a.drop(at) // nobody wants it started
		case at.outcome == nil:
		case at.outcome.Gone:
			gone++
		case old:
			a.evictOne(at)
			gone++
		}
	}
	for _, at := range a.order {
		if gone <= mostEvicted {
			return
		}
		if at.outcome != nil && at.outcome.Gone {
			gone--
			a.drop(at)
			a.used.Add(at.key)
			if a.journal != nil {
				a.noteUsed([]string{at.key}, lazy)
			}
		}
	}
}
