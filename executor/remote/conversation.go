package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

const (
	// What is written at once has this many submissions, or bytes, at most, so that
	// its answers keep nobody waiting.
	maxBatch      = 1024
	maxBatchBytes = 1 << 20
	// talkTime is how long a conversation goes on. With leases it is shorter, for
	// submissions have the ticket with which it began.
	talkTime = time.Minute
	// talkIdle is how long a conversation goes on without a word.
	talkIdle = 2 * time.Second
)

// A conversation is one request that goes on: submissions are written as they come, and
// answers are read meanwhile. A request for each would cost more than everything else
// that there is to do for an attempt, whenever they come one by one.
type conversation struct {
	reader *io.PipeReader
	writer *io.PipeWriter
	cancel context.CancelCauseFunc
	sent   atomic.Bool // any of it may have left
	until  time.Time

	// mu of the node guards the following.
	expect []*entry  // in the order in which they were submitted
	used   time.Time // when it was last written or heard to
	ended  bool      // nothing is written any more
}

// Read is for the request, which begins to read when there is a connection.
func (c *conversation) Read(b []byte) (int, error) {
	c.sent.Store(true)
	return c.reader.Read(b)
}

// end has nothing written any more. The answers still come. mu of the node is held.
func (c *conversation) end() {
	if !c.ended {
		c.ended = true
		_ = c.writer.Close()
		time.AfterFunc(requestPatience, func() { c.cancel(errUnanswered) })
	}
}

// tend ends a conversation that has gone on for long enough, or in which nothing is said.
func (n *node) tend(until func(time.Time) bool) {
	c := n.talk
	switch {
	case c == nil:
	case len(c.expect) > 0 && !until(c.used.Add(requestPatience)):
		c.cancel(errUnanswered)
	case !until(c.until), len(c.expect) == 0 && !until(c.used.Add(talkIdle)):
		c.end()
		n.talk = nil
	}
}

// submit submits what waits, as much as fits. Nil: it has become needless.
func (n *node) submit(ctx context.Context, now time.Time) task {
	batch, body := n.takeBatch()
	if len(batch) == 0 {
		return nil
	}
	c, fresh := n.talk, n.talk == nil
	if fresh {
		c = &conversation{until: now.Add(talkTime)}
		if n.config.Lease > 0 {
			c.until = now.Add(min(talkTime, n.config.Lease/3))
			n.renewAt = now.Add(n.renewEvery()) // its beginning renews
		}
		c.reader, c.writer = io.Pipe()
		ctx, c.cancel = context.WithCancelCause(ctx)
		n.talk = c
	}
	c.used = now
	c.expect = append(c.expect, batch...)
	return func(_ context.Context, p peer) {
		if fresh {
			n.done.Go(func() { n.converse(ctx, p, c) })
		}
		watchdog := time.AfterFunc(requestPatience, func() { c.cancel(errUnanswered) })
		defer watchdog.Stop()
		// If that fails the conversation does, and says so itself.
		_, _ = c.writer.Write(body)
	}
}

// takeBatch takes what fits from the queue.
func (n *node) takeBatch() (batch []*entry, body []byte) {
	taken := 0
	body = n.written[:0] // a pipe has let go of it when Write returns
	for _, e := range n.queue {
		if len(batch) == maxBatch || len(body) > maxBatchBytes {
			break
		}
		taken++
		e.queued = false
		if e.over || e.gone || e.closing || e.foreign {
			continue
		}
		if e.journal == "" {
			e.journal, e.boot = n.health.Journal, n.health.Boot
		}
		batch = append(batch, e)
		body = e.submission(body)
		e.maybe++
	}
	n.queue = slices.Delete(n.queue, 0, taken)
	if n.written = body; cap(body) > 2*maxBatchBytes {
		n.written = nil
	}
	return batch, body
}

// converse makes the request of a conversation and takes the answers. What is not
// answered is submitted again.
func (n *node) converse(ctx context.Context, p peer, c *conversation) {
	// Otherwise net/http would wait for the end of what is read from c, though it has
	// given up the request.
	defer context.AfterFunc(ctx, func() { _ = c.reader.CloseWithError(io.ErrClosedPipe) })()
	resp, err := p.do(ctx, request{method: http.MethodPost, path: wire.PathTasks, stream: c})
	if err == nil {
		err = n.answers(resp.Body, c)
		_ = resp.Body.Close()
	}
	err = causeOf(ctx, err)
	c.cancel(nil)
	_ = c.reader.CloseWithError(io.ErrClosedPipe)
	n.mu.Lock()
	if n.talk == c {
		n.talk = nil
	}
	left := c.expect
	c.expect, c.ended = nil, true
	status, answered := errors.AsType[*statusError](err)
	refused := answered && status.definite()
	if err == nil || len(left) > 0 {
		n.note(definite(err)) // before the sender can submit it again
	}
	for _, e := range left {
		if refused || !c.sent.Load() {
			e.maybe--
			n.stray(e)
		}
		switch {
		case refused:
			n.answered(e, status.Status, &status.Problem)
		case answered && !e.over && !e.closing && !e.gone:
			n.retry(e, n.backoff(1))
		case !e.over && !e.closing && !e.gone:
			n.enqueue(e)
		}
	}
	n.mu.Unlock()
	n.wake()
}

// answers reads the answers until there are no more to come.
func (n *node) answers(body io.Reader, c *conversation) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4<<10), wire.MaxLine)
	for count := 1; lines.Scan(); count++ {
		a, err := wire.ParseAnswer(lines.Bytes())
		if err != nil {
			return err
		}
		if err := n.answer(c, &a, count); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(c.expect) > 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// answer takes one answer.
func (n *node) answer(c *conversation, a *wire.Answer, count int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(c.expect) == 0 || a.Line != count || a.Key != c.expect[0].key && a.Key != "" {
		return errors.New("an answer is for another submission")
	}
	e := c.expect[0]
	c.expect[0] = nil
	if c.expect = c.expect[1:]; len(c.expect) == 0 {
		c.expect = nil
	}
	c.used = time.Now()
	n.note(nil)
	e.maybe--
	n.answered(e, a.Status, a.Problem)
	n.stray(e)
	return nil
}
