package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// formatVersion is the version of the records of a journal, see FORMAT.md.
const formatVersion = "1"

// Names in Config.Dir.
const (
	journalName = "journal"
	outputsName = "outputs"
)

func outputPath(dir, key string, stream int) string {
	return filepath.Join(dir, outputsName, outputName(key, stream))
}

func randomID() string { return strings.ToLower(rand.Text()) }

// A storeOpener opens the log of a journal.
type storeOpener func(ctx context.Context, dir string, c filelog.Config) (store, error)

func openFiles(ctx context.Context, dir string, c filelog.Config) (store, error) {
	log, err := filelog.Open(ctx, dir, c)
	if err != nil {
		return nil, err
	}
	return log, nil
}

// openJournal opens the journal, and finds out what was there before.
func (a *Agent) openJournal(ctx context.Context, openStore storeOpener) error {
	dir := filepath.Join(a.dir, journalName)
	log, err := openStore(ctx, dir, filelog.Config{Logger: a.logger})
	if errors.Is(err, statelog.ErrActive) {
		return fmt.Errorf("agent: another daemon uses %s: stop it, or give this one a directory"+
			" of its own: %w", a.dir, err)
	}
	if err != nil {
		return fmt.Errorf("agent: journal: %w", err)
	}
	j := &journal{
		log: log, logger: a.logger, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1),
		landed: a.landed, live: a.liveRecords, snapshot: a.snapshotRecords,
	}
	a.journal = j
	if err := a.readJournal(ctx); err != nil {
		return errors.Join(fmt.Errorf("agent: journal in %s: %w", dir, err), log.Close())
	}
	return nil
}

// readJournal folds what is there, or begins.
func (a *Agent) readJournal(ctx context.Context) error {
	j := a.journal
	runs, err := openRuns(ctx, j.log) // the newest first
	if err != nil {
		return err
	}
	// One that has not been written whole when the daemon was killed has no record
	// of a start; the one before then still counts.
	for i, run := range runs {
		f := newFold(a.dir)
		if err := f.read(ctx, j.log, run.Run); err != nil {
			return err
		}
		if f.starts == 0 {
			continue
		}
		j.id, j.run, j.after, j.opened = f.id, run.Run, f.seq, run.Opened
		a.restore(f)
		if err := j.append([]statelog.Record{startRecord(a.start, a.boot)}); err != nil {
			return err
		}
		return errors.Join(j.closeRuns(ctx, runs[:i]), j.closeRuns(ctx, runs[i+1:]))
	}
	j.id = randomID()
	return errors.Join(j.rotate([]statelog.Record{startRecord(a.start, a.boot)}),
		j.closeRuns(ctx, runs))
}

// openRuns returns the runs that are not closed, the newest first.
func openRuns(ctx context.Context, log store) ([]statelog.RunInfo, error) {
	var runs []statelog.RunInfo
	for info, err := range log.Runs(ctx, statelog.Query{States: []string{statelog.Running}}) {
		if err != nil {
			return nil, err
		}
		runs = append(runs, info)
	}
	return runs, nil
}

// rotate goes on in a new run of the log, which begins with these records.
func (j *journal) rotate(recs []statelog.Record) error {
	before, run := statelog.RunInfo{Run: j.run, Seq: j.after}, "agent-"+randomID()
	opening := statelog.Record{
		Kind: statelog.Opened, Time: j.openingTime(), Opened: &statelog.Opening{
			Version: statelog.Version, KeyPrefix: j.id,
			Tags:       map[string]string{"agent": formatVersion},
			Definition: func() *dag.DAG { return &dag.DAG{} },
		},
	}
	ctx := context.Background()
	last, err := j.log.Append(ctx, run, 0, slices.Concat([]statelog.Record{opening}, recs))
	if err != nil {
		return err
	}
	j.run, j.after, j.opened = run, last, opening.Time
	if before.Run == "" {
		return nil
	}
	return j.closeRuns(ctx, []statelog.RunInfo{before})
}

// openingTime is later than that of the run before, also if the clock was put back: by it
// the newest is known.
func (j *journal) openingTime() time.Time {
	now := time.Now()
	if least := j.opened.Add(time.Millisecond); now.Before(least) {
		return least
	}
	return now
}

// closeRuns gives back the space of runs that are of no use any more.
func (j *journal) closeRuns(ctx context.Context, runs []statelog.RunInfo) error {
	for _, run := range runs {
		rec := statelog.Record{Kind: statelog.Closed, Time: time.Now(), State: "over"}
		if _, err := j.log.Append(ctx, run.Run, run.Seq, []statelog.Record{rec}); err != nil {
			return err
		}
	}
	// 0 would keep all.
	_, err := j.log.Prune(ctx, statelog.Retention{Age: 1})
	return err
}

// sweepOutputs removes files of outputs that nobody can ask for.
func (a *Agent) sweepOutputs() {
	dir := filepath.Join(a.dir, outputsName)
	entries, err := os.ReadDir(dir)
	if err != nil {
		a.logger.Warn("outputs cannot be listed", slog.Any("err", err))
		return
	}
	for _, entry := range entries {
		key, _, _ := strings.Cut(entry.Name(), ".")
		if wire.CheckKey(key) != nil || a.attempts[key] != nil {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			a.logger.Warn("an output cannot be removed", slog.Any("err", err))
		}
	}
}
