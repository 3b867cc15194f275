package sqllog

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/daggy-go/daggy/statelog"
)

const (
	// A page is what is read at a time: as many batches as begin within so many
	// bytes, and no more than so many.
	pageBytes, pageBatches = 1 << 20, 1024
)

// Read yields the run's records after the given number. It reads in pages, of a
// megabyte or one batch each, and has no connection while it yields them. A run
// that is removed meanwhile ends with an error.
func (l *Log) Read(
	ctx context.Context, run string, after uint64,
) iter.Seq2[statelog.Record, error] {
	r := reader{log: l, run: run, next: after}
	err := l.settle(ctx, run)
	if err == nil {
		r.id, r.end, err = l.find(ctx, run)
	}
	return func(yield func(statelog.Record, error) bool) {
		r, err := r, err // a sequence may be used more than once
		more := true
		for err == nil && more && r.next < r.end {
			var batches []stored
			if batches, err = r.page(ctx); err == nil {
				more, err = r.yield(batches, yield)
			}
		}
		if err != nil {
			yield(statelog.Record{}, fmt.Errorf("sqllog: read run %q: %w", run, err))
		}
	}
}

// A reader is at some place in a run.
type reader struct {
	log  *Log
	run  string
	id   int64
	next uint64 // the number before the next record
	end  uint64
}

// A stored batch is a row of the table.
type stored struct {
	first, last uint64
	data        []byte
}

// page reads the next batches.
func (r *reader) page(ctx context.Context) ([]stored, error) {
	rows, err := r.log.store.query(ctx, r.log.sql.page,
		r.id, int64(r.next), int64(r.end), pageBatches, pageBytes)
	if err != nil {
		return nil, err
	}
	var page []stored
	for rows.Next() {
		var b stored
		if err := rows.Scan(&b.first, &b.last, &b.data); err != nil {
			return nil, errors.Join(err, rows.close())
		}
		page = append(page, b)
	}
	if err := errors.Join(rows.Err(), rows.close()); err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, r.missing(ctx)
	}
	return page, nil
}

// missing says why there is nothing where there should be.
func (r *reader) missing(ctx context.Context) error {
	id, _, err := r.log.find(ctx, r.run)
	switch {
	case err != nil:
		return err
	case id != r.id:
		return statelog.ErrNoRun // it was removed, and another one has its ID
	}
	return r.damage(r.next+1, errors.New("there is no such batch"))
}

// yield decodes batches and yields their records. It reports false if the loop
// has ended.
func (r *reader) yield(
	page []stored, yield func(statelog.Record, error) bool,
) (more bool, err error) {
	for i, b := range page {
		// A sequence may begin in the middle of a batch, and there alone.
		if b.first == 0 || b.first > r.next+1 {
			return false, r.damage(r.next+1, errors.New("there is no such batch"))
		}
		for rec, err := range decode(r.run, b.first-1, b.data) {
			switch {
			case err != nil:
				return false, r.damage(rec.Seq, err)
			case rec.Seq <= r.next:
				continue
			case rec.Seq > b.last:
				return false, r.damage(rec.Seq, errors.New("the batch has more records"))
			}
			r.next = rec.Seq
			if !yield(rec, nil) {
				return false, nil
			}
		}
		if r.next != b.last {
			return false, r.damage(r.next+1, errCutShort)
		}
		page[i].data = nil // it is not needed while the loop works on the rest
	}
	return true, nil
}

// damage says where the tables are damaged. A newer version is no damage.
func (r *reader) damage(seq uint64, err error) error {
	if _, ok := errors.AsType[*VersionError](err); ok {
		return fmt.Errorf("record %d: %w", seq, err)
	}
	path := fmt.Sprintf("table %sbatches (run_id %d)", r.log.config.Prefix, r.id)
	return &statelog.CorruptError{Path: path, Offset: -1, Seq: seq, Err: err}
}
