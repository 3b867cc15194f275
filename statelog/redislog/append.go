package redislog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/daggy-go/daggy/statelog"
)

// Append adds recs to the run with one script, in one round trip.
//
// If the answer is lost, the batch is sent once more, which adds nothing if it
// was added before; the error is ErrAmbiguous if that has no answer either. What
// was sent then still may arrive, but no later than the next Append to the run
// or Read of it by this Log.
//
// When ctx ends, Append ends as soon as the client does, see
// [redis.Options.ContextTimeoutEnabled].
func (l *Log) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if err := l.append(ctx, run, after, recs); err != nil {
		return 0, fmt.Errorf("redislog: append to run %q after %d: %w",
			run, after, cause(ctx, err))
	}
	return after + uint64(len(recs)), nil
}

func (l *Log) append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := l.settle(ctx, run); err != nil {
		return err
	}
	buffer := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	b := batch{run: run, after: after, seen: l.memory.seen(run)}
	b.nonce, b.count = l.nonce()
	if err := b.encode(buffer, recs); err != nil {
		return err
	}
	answer, err := l.send(ctx, l.appendCall(&b))
	if errors.Is(err, statelog.ErrAmbiguous) {
		l.memory.unsettle(run, b.count)
	}
	if err != nil {
		return err
	}
	if err := verdict(answer); err != nil {
		return err
	}
	if len(recs) == 0 {
		return nil
	}
	l.memory.see(run, end{seq: b.at.last, nonce: b.nonce, first: text(answer, 1)})
	if l.documents != nil {
		l.documents.appended(run)
	}
	return nil
}

// A batch is what one Append adds.
type batch struct {
	run   string
	after uint64
	seen  end
	nonce string
	count uint64
	at    place
	data  []byte
	turn  turn
}

// buffers are for batches, which are written before Append returns.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

func giveBack(b *[]byte) {
	const keep = 1 << 20
	if cap(*b) <= keep {
		buffers.Put(b)
	}
}

func (b *batch) encode(buffer *[]byte, recs []statelog.Record) error {
	b.at = place{last: b.after + uint64(len(recs)), count: uint64(len(recs))}
	if len(recs) == 0 {
		return nil
	}
	data, err := appendBatch((*buffer)[:0], b.run, b.at, recs)
	if err != nil {
		return err
	}
	*buffer, b.data = data, data
	b.turn, err = turnOf(recs)
	return err
}

func (l *Log) appendCall(b *batch) call {
	k := &l.keys
	id, documents, touch := "", "", ""
	if b.at.count > 0 {
		id = b.at.String()
	}
	if l.documents != nil {
		documents = "1"
	}
	if l.replicas > 0 {
		touch = "1"
	}
	seq, nonce, first := b.seen.args()
	t := &b.turn
	return call{
		script: appendScript,
		keys: []string{
			k.run(b.run), k.log(b.run), k.late, k.gone(b.run), k.runs, k.open, k.closed,
			k.order, k.behind, k.touched,
		},
		args: []any{
			b.run, strconv.FormatUint(b.after, 10), strconv.FormatUint(b.at.last, 10), id,
			b.nonce, b.count, b.data, seq, nonce, first, documents, touch,
			t.turned, t.state, t.closed, t.opened, t.tags,
		},
		once: true, replicas: l.replicas > 0 && id != "",
	}
}

// send sends a batch until its fate is known, twice at most.
func (l *Log) send(ctx context.Context, c call) ([]any, error) {
	answer, err := l.do(ctx, c)
	if err == nil || notRun(err) {
		return answer, err
	}
	if !errors.Is(err, errReplicas) && ctx.Err() == nil {
		// Who was added before says so; so does who comes too late now.
		if answer, again := l.do(ctx, c); again == nil {
			return answer, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", statelog.ErrAmbiguous, err)
}

// A turn is what a batch changes in what is said of the run, as the script
// takes it.
type turn struct {
	turned string // "": nothing
	state  string
	closed string // time, "": not closed
	opened string // time, "": as it was
	tags   string
}

func turnOf(recs []statelog.Record) (turn, error) {
	var t turn
	var info statelog.RunInfo
	for i := range recs {
		rec := &recs[i]
		switch rec.Kind {
		case statelog.Opened, statelog.Closed, statelog.Reopened:
		default:
			continue
		}
		info.Add(rec)
		t.turned = "1"
		if rec.Kind != statelog.Opened {
			continue
		}
		t.opened = timeKey(rec.Time)
		tags, err := json.Marshal(info.Tags)
		if err != nil {
			return turn{}, err
		}
		t.tags = string(tags)
	}
	t.state = info.State
	if !info.Closed.IsZero() {
		t.closed = timeKey(info.Closed)
	}
	return t, nil
}
