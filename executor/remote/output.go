package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

const (
	// copyEvery is how often the output of what runs is fetched at most.
	copyEvery = 100 * time.Millisecond
	// copyAtOnce is how much is fetched without waiting for that.
	copyAtOnce = 1 << 20
	// fewTries is how often it may fail at the end before that is told.
	fewTries = 3
)

// buffers are for copying output.
var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// An output is one of the two of a call of Run.
type output struct {
	to     io.Writer
	stream string // the end of its path
	offset int64  // what was written
	at     time.Time
	tries  int
	gone   bool
	err    error // of the writer, which is not called again
}

// newOutput returns nil if nobody wants it.
func newOutput(to io.Writer, stream string) *output {
	if to == io.Discard {
		return nil
	}
	return &output{to: to, stream: stream}
}

// over reports whether there is nothing to be had up to size.
func (o *output) over(size int64) bool {
	return o == nil || o.err != nil || o.gone || o.offset >= size
}

// copy fetches what has grown, and returns when to look again. 0: when there is news.
func (r *run) copy(g *glance) time.Duration {
	var wait time.Duration
	for _, part := range r.outputs(g) {
		o, size := part.output, part.size
		if o.over(size) {
			continue
		}
		pause := time.Until(o.at)
		if pause > 0 && (o.tries > 0 || size-o.offset < copyAtOnce) || g.absent != "" {
			pause = max(pause, minRetry)
		} else {
			pause = 0
			if err := r.fetch(r.ctx, o); err != nil {
				pause = max(time.Until(o.at), minRetry)
			}
		}
		if pause > 0 && (wait == 0 || pause < wait) {
			wait = pause
		}
	}
	return wait
}

type part struct {
	*output
	size int64
}

func (r *run) outputs(g *glance) [2]part {
	return [2]part{{r.stdout, g.state.Stdout}, {r.stderr, g.state.Stderr}}
}

// copyRest writes what there is left of the output of an attempt that has ended. If all of
// it matters it goes on until it has that, or nobody can have it any more.
func (r *run) copyRest(g *glance, all bool) error {
	o := g.state.Outcome
	for i, part := range r.outputs(g) {
		if part.output == nil {
			continue
		}
		if o.Inline {
			part.put([2][]byte{o.Stdout, o.Stderr}[i])
			continue
		}
		if o.Gone {
			continue
		}
		if err := r.fetchRest(part.output, part.size, all); err != nil {
			return err
		}
	}
	for _, part := range r.outputs(g) {
		if part.output != nil && part.err != nil {
			return fmt.Errorf("remote: write output: %w", part.err)
		}
	}
	return nil
}

// put writes all of an output that was told inline.
func (o *output) put(all []byte) {
	if o.err == nil && int64(len(all)) > o.offset {
		_, o.err = o.to.Write(all[o.offset:])
		o.offset = int64(len(all))
	}
}

// fetchRest fetches until size. The attempt is over, so ctx, which may have ended, does
// not matter any more, but after it has ended nobody waits for ever.
func (r *run) fetchRest(o *output, size int64, all bool) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.ctx))
	defer cancel()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for failures := 0; !o.over(size); {
		err := r.fetch(ctx, o)
		if err == nil {
			continue
		}
		if failures++; failures == fewTries {
			r.node.config.Logger.Warn("output of an attempt that has ended cannot be had yet",
				nodeAttr(r.node.name), keyAttr(r.key), slog.Any("err", err))
		}
		if status, ok := errors.AsType[*statusError](err); !all ||
			ok && status.Problem.Code == wire.CodeNotFound {
			o.gone = true // it was a daemon that remembers nothing
			return nil
		}
		if lost := r.outputLost(err); lost != nil {
			return lost
		}
		timer.Reset(max(time.Until(o.at), minRetry))
		select {
		case <-timer.C:
		case <-r.node.closed:
			return errClosed
		}
	}
	return nil
}

// outputLost reports whether output that cannot be fetched is given up: ctx has ended,
// or with Replace, the node or the daemon that has it is away for longer than a lease.
func (r *run) outputLost(err error) error {
	if r.ctx.Err() != nil {
		return fmt.Errorf("remote: node %q: it has ended, but its output could not be had: %w",
			r.node.name, err)
	}
	n := r.node
	n.mu.Lock()
	defer n.mu.Unlock()
	at, bounded := n.lostAt()
	if n.up {
		bounded = n.config.OnUnreachable == Replace && n.health.Journal != r.journal
		at = n.since.Add(n.config.Lease)
	}
	if n.gone || bounded && time.Now().After(at) {
		return n.lost("it has ended, but its output could not be had: " + err.Error())
	}
	return nil
}

// fetch writes what there is now beyond the offset.
func (r *run) fetch(ctx context.Context, o *output) error {
	o.at = time.Now().Add(copyEvery)
	err := r.stream(ctx, o)
	if err == nil {
		o.tries = 0
		return nil
	}
	if status, ok := errors.AsType[*statusError](err); ok && status.Status == http.StatusGone {
		o.gone = true
		return nil
	}
	o.tries++
	o.at = time.Now().Add(r.node.backoff(o.tries))
	return err
}

func (r *run) stream(ctx context.Context, o *output) error {
	n := r.node
	n.mu.Lock()
	p := peer{n.endpoint, r.journal}
	n.mu.Unlock()
	if p.endpoint == nil {
		return errors.New("the node is not in the fleet")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(requestPatience, func() { cancel(errUnanswered) })
	defer watchdog.Stop()
	resp, err := p.do(ctx, request{
		method: http.MethodGet, path: wire.PathTask + url.PathEscape(r.key) + o.stream,
		output: true, offset: o.offset,
	})
	if err != nil {
		return causeOf(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if o.offset > 0 && resp.StatusCode != http.StatusPartialContent {
		return fmt.Errorf("it answers %d to a request for a part of an output", resp.StatusCode)
	}
	buf := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buf)
	for {
		watchdog.Reset(requestPatience)
		got, err := resp.Body.Read(buf[:])
		watchdog.Stop() // the writer may take its time
		if got > 0 {
			if _, o.err = o.to.Write(buf[:got]); o.err != nil {
				return nil
			}
			o.offset += int64(got)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return causeOf(ctx, err)
		}
	}
}
