package redislog

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/daggy-go/daggy/statelog"
)

// removeDocuments removes the documents of all runs that were removed, also of
// those where an earlier Prune came no further.
func (l *Log) removeDocuments(ctx context.Context) error {
	runs, err := l.client.SMembers(ctx, l.keys.removed).Result()
	if err != nil {
		return err
	}
	slices.Sort(runs)
	var failed error
	for _, run := range runs {
		if err := l.removeDocumentsOf(ctx, run); err != nil {
			failed = errors.Join(failed, fmt.Errorf("documents of run %q: %w", run, err))
		}
	}
	return failed
}

// removeDocumentsOf finds the names of the documents in what is left of the run.
func (l *Log) removeDocumentsOf(ctx context.Context, run string) error {
	e := eraser{log: l, fold: newFold(run), names: []string{l.keys.runDocument(run)}}
	var failed error
	r := reader{
		log: l, run: run, key: l.keys.past(run), end: untilItEnds,
		yield: func(rec statelog.Record) bool {
			failed = e.add(ctx, &rec)
			return failed == nil
		},
	}
	if err := errors.Join(r.read(ctx), failed); err != nil {
		return err
	}
	if err := e.erase(ctx); err != nil {
		return err
	}
	pipe := l.client.TxPipeline()
	pipe.Unlink(ctx, r.key)
	pipe.SRem(ctx, l.keys.removed, run)
	_, err := pipe.Exec(ctx)
	return err
}

// An eraser removes the documents that records are about.
type eraser struct {
	log   *Log
	fold  *fold
	names []string // of documents to remove
}

func (e *eraser) add(ctx context.Context, rec *statelog.Record) error {
	if err := e.fold.add(rec); err != nil {
		return err
	}
	for at := range e.fold.changed {
		e.names = append(e.names, e.log.keys.taskDocument(e.fold.run.Run, e.fold.name(at)))
	}
	clear(e.fold.changed)
	if len(e.names) < documentsFlush {
		return nil
	}
	return e.erase(ctx)
}

func (e *eraser) erase(ctx context.Context) error {
	keys := append([]string{e.log.keys.run(e.fold.run.Run)}, e.names...)
	e.names = e.names[:0]
	_, err := e.log.do(ctx, call{script: undocumentScript, keys: keys})
	return err
}
