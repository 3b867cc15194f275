package sim_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// checkLive compares the memory of the engine at work with the book (I7), now and
// then, when it has nothing on its way to the log.
func (w *world) checkLive() {
	w.mu.Lock()
	e := w.atWork()
	compare := e != nil && e.handle != nil && e.settled && e.id == w.book.engine &&
		e.known == w.book.seq && e.commands == 0 && !e.paused && !e.stopping && w.step%8 == 0
	for _, p := range w.appends {
		compare = compare && p.engine != e
	}
	w.mu.Unlock()
	if !compare {
		return
	}
	live := statesOf(e.handle.Snapshot())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen["compared with memory"]++
	if diff := difference(w.book.states(), live); diff != "" {
		w.violated("I7: engine %d and the log disagree: %s", e.number, diff)
	}
}

// statesOf returns the states of a report. What may still change is the same as
// far as the log is concerned.
func statesOf(r *runner.Report) map[string]string {
	states := map[string]string{}
	for t := range r.Tasks() {
		states[t.Name] = string(t.State)
	}
	return states
}

// difference says in which settled states a report differs from the book.
func difference(book, report map[string]string) string {
	final := func(s string) string {
		if s == string(waiting) || s == string(open) || s == string(runner.Queued) ||
			s == string(runner.Running) {
			return "unsettled"
		}
		return s
	}
	for _, name := range slices.Sorted(maps.Keys(book)) {
		if got, ok := report[name]; !ok || final(got) != final(book[name]) {
			return fmt.Sprintf("%s is %s, not %q", name, book[name], got)
		}
	}
	if len(book) != len(report) {
		return fmt.Sprintf("%d instances, not %d", len(report), len(book))
	}
	return ""
}

// checkEnd checks the run when it is over.
func (w *world) checkEnd() {
	w.mu.Lock()
	var report *runner.Report
	for _, e := range w.engines {
		if e.id == w.book.engine && !e.dead {
			report = e.report
		}
	}
	w.mu.Unlock()
	if report != nil && report.State != runner.RunInterrupted {
		live := statesOf(report)
		w.mu.Lock()
		if diff := difference(w.book.states(), live); diff != "" {
			w.violated("I7: the last report and the log disagree: %s", diff)
		}
		if string(report.State) != w.book.verdict {
			w.violated("R1: the run is reported as %s and is %s", report.State, w.book.verdict)
		}
		w.mu.Unlock()
	}
	w.checkScript()
	w.checkForgotten()
	w.checkReplay(len(w.records))
	for range 2 {
		w.checkReplay(1 + w.rnd.IntN(len(w.records)))
	}
}

// checkForgotten checks that the executors were told to forget what is over (E5),
// if the last engine ended in good order.
func (w *world) checkForgotten() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.engines {
		if e.id == w.book.engine && (e.dead || e.unread || e.unforgotten) {
			return
		}
	}
	for _, k := range w.sortedWorks() {
		if !k.forgotten {
			w.violated("E5: nobody said that %v can be forgotten", k.attempt)
		}
	}
}

// checkScript compares the final states with what the scenario demands, if nobody
// interfered: what has retries enough completes, and what depends on it too.
func (w *world) checkScript() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.book.decided || w.budget >= 0 || w.poison > 0 {
		return
	}
	w.seen["compared with the script"]++
	for i := range w.book.chapters {
		c := &w.book.chapters[i]
		for k := range c.pages {
			at := instance{c.task.Name, k}
			got, want := c.pages[k].state, w.demanded(i, at)
			if want != "" && want != got {
				w.violated("R1: %v is %s and should be %s", at, got, want)
			}
		}
	}
}

// demanded is the state that an instance should have, or "" if that depends on
// when things happened.
func (w *world) demanded(i int, at instance) state {
	c := &w.book.chapters[i]
	switch {
	case !w.book.admitted(i):
		return waiting
	case c.barrier():
		return completed
	case c.task.Job.TimeLimit > 0 || c.task.Generator:
		return ""
	case w.failures(at) > c.task.MaxRetries:
		return failed
	}
	return completed
}

// checkReplay has a fresh Runner replay a prefix of the log, and compares what it
// makes of it with a fresh book (I7).
func (w *world) checkReplay(n int) {
	b := newBook(w.dag)
	b.limits(w.options)
	for i := range w.records[:n] {
		if err := b.fold(&w.records[i]); err != nil {
			w.violate("I7: the log does not fold: %w", err)
			return
		}
	}
	w.seen["replayed"]++
	nobody := executor.RunFunc(
		func(ctx context.Context, _ *executor.Attempt) (executor.Result, error) {
			return executor.Result{}, context.Cause(ctx)
		})
	r := &runner.Runner{
		Executor: nobody, Pools: map[string]executor.Executor{far: nobody, queue: nobody},
		Log: &copied{slices.Clone(w.records[:n])}, Seed: 1,
		Poison: -1, Lost: runner.Backoff{Budget: w.budget},
	}
	ctx, cancel := context.WithCancel(w.ctx)
	cancel() // nothing starts
	h, err := r.Resume(ctx, runID)
	if err != nil {
		w.violate("I7: replay of %d records: %w", n, err)
		return
	}
	report, _ := h.Wait(w.ctx)
	states := b.states()
	replayed := statesOf(report)
	if !b.closed {
		b.ahead(replayed)
	}
	if diff := difference(states, replayed); diff != "" {
		w.violate("I7: replay of %d records: %s", n, diff)
	}
}

// ahead takes out of the states of an engine that went on with the records what
// followed: open attempts that it ended, barriers whose time came, and the end.
func (b *book) ahead(states map[string]string) {
	for i := range b.chapters {
		c := &b.chapters[i]
		for k, p := range c.pages {
			name := b.name(instance{c.task.Name, k})
			if p.state == open ||
				p.state == waiting && (c.barrier() || states[name] == string(runner.Skipped)) {
				states[name] = string(waiting)
			}
		}
	}
}

// violate is violated without mu.
func (w *world) violate(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.violated(format, args...)
}

// copied is a log of one run that takes no more than it has to.
type copied struct{ records []statelog.Record }

// Append adds records.
func (c *copied) Append(
	_ context.Context, _ string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if after != uint64(len(c.records)) {
		return 0, statelog.ErrFenced
	}
	for _, r := range recs {
		r.Seq = uint64(len(c.records)) + 1
		c.records = append(c.records, r)
	}
	return uint64(len(c.records)), nil
}

// Read yields the records.
func (c *copied) Read(
	_ context.Context, _ string, after uint64,
) iter.Seq2[statelog.Record, error] {
	recs := slices.Clone(c.records)
	return func(yield func(statelog.Record, error) bool) {
		for _, r := range recs {
			if r.Seq > after && !yield(r, nil) {
				return
			}
		}
	}
}

// Runs is not asked for.
func (c *copied) Runs(context.Context, statelog.Query) iter.Seq2[statelog.RunInfo, error] {
	return func(yield func(statelog.RunInfo, error) bool) {
		yield(statelog.RunInfo{}, errors.ErrUnsupported)
	}
}

// Immediate reports true.
func (c *copied) Immediate() bool { return true }
