package redislog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/daggy-go/daggy/statelog"
)

// Read yields the run's records after the given number. It asks for a page at a
// time, about a megabyte, and holds nothing while it yields.
func (l *Log) Read(
	ctx context.Context, run string, after uint64,
) iter.Seq2[statelog.Record, error] {
	last, err := l.end(ctx, run)
	return func(yield func(statelog.Record, error) bool) {
		r := reader{
			log: l, run: run, key: l.keys.log(run), at: after, end: last.seq,
			yield: func(rec statelog.Record) bool { return yield(rec, nil) },
		}
		failed := err
		if failed == nil {
			failed = r.read(ctx)
		}
		if failed != nil {
			yield(statelog.Record{}, fmt.Errorf("redislog: read run %q: %w",
				run, cause(ctx, failed)))
		}
	}
}

// end asks where a run ends.
func (l *Log) end(ctx context.Context, run string) (end, error) {
	if err := l.settle(ctx, run); err != nil {
		return end{}, err
	}
	touch := ""
	if l.replicas > 0 {
		touch = "1"
	}
	k := &l.keys
	seq, nonce, first := l.memory.seen(run).args()
	answer, err := l.do(ctx, call{
		script:   readScript,
		keys:     []string{k.run(run), k.log(run), k.gone(run), k.touched},
		args:     []any{seq, nonce, first, touch},
		replicas: l.replicas > 0,
	})
	if err != nil {
		return end{}, err
	}
	if err := verdict(answer); err != nil {
		return end{}, err
	}
	e := end{nonce: text(answer, 2), first: text(answer, 3)}
	if e.seq, err = strconv.ParseUint(text(answer, 1), 10, 64); err != nil {
		return end{}, damage(k.run(run), 0, err)
	}
	l.memory.see(run, e)
	return e, nil
}

// A reader is a Read under way.
type reader struct {
	log *Log
	run string
	key string
	// at is the number of the last record that was yielded, end of the last one
	// that will be, or untilItEnds.
	at, end uint64
	yield   func(statelog.Record) bool
}

// untilItEnds is the end of who reads all that there is.
const untilItEnds = math.MaxUint64

const (
	pageBytes      = 1 << 20
	firstPage      = 16 // batches
	maxPageBatches = 1024
)

func (r *reader) read(ctx context.Context) error {
	count := int64(firstPage)
	for r.at < r.end {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		page, err := r.log.client.XRangeN(ctx, r.key,
			strconv.FormatUint(r.at+1, 10), strconv.FormatUint(r.end, 10), count).Result()
		switch {
		case err != nil:
			return err
		case len(page) == 0 && r.end == untilItEnds:
			return nil
		case len(page) == 0:
			return r.missing(ctx)
		}
		size := 0
		for _, message := range page {
			n, more, err := r.batch(message)
			if err != nil || !more {
				return err
			}
			size += n
		}
		// As many as make a page if they are like these.
		count = min(max(int64(pageBytes*len(page)/(size+1)), 1), maxPageBatches)
	}
	return nil
}

// batch yields the records of one batch.
func (r *reader) batch(message redis.XMessage) (size int, more bool, err error) {
	at, err := parsePlace(message.ID)
	if err != nil {
		return 0, false, r.damage(r.at+1, err)
	}
	if at.first() > r.at+1 {
		return 0, false, r.damage(r.at+1,
			fmt.Errorf("records up to %d are missing", at.first()-1))
	}
	if len(message.Values) != 1 {
		return 0, false, r.damage(at.first(), errors.New("it is no batch"))
	}
	data := ""
	for _, value := range message.Values {
		data, _ = value.(string)
	}
	after := r.at
	more, err = decodeBatch(r.run, at, data, after, func(rec statelog.Record) bool {
		r.at = rec.Seq
		return r.yield(rec)
	})
	if err != nil {
		return 0, false, r.damage(r.at+1, err)
	}
	return len(data), more, nil
}

// missing says why records that were there are not.
func (r *reader) missing(ctx context.Context) error {
	if _, err := r.log.end(ctx, r.run); err != nil {
		return err // the run was removed, or lost
	}
	return r.damage(r.at+1, fmt.Errorf("records up to %d are missing", r.end))
}

func (r *reader) damage(seq uint64, err error) error { return damage(r.key, seq, err) }

// damage says where records cannot be read. seq is 0 if that is not known.
func damage(key string, seq uint64, err error) error {
	return &statelog.CorruptError{
		Path: "the Redis key " + strconv.Quote(key), Offset: -1, Seq: seq, Err: err,
	}
}
