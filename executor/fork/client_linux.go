package fork

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// lingerTime is how long an engine keeps a connection that it does not use.
const lingerTime = 50 * time.Millisecond

// reachTime is how long a supervisor is tried to be reached.
const reachTime = 10 * time.Second

// client is the engine's side: it has at most one connection with the supervisor
// of a directory, for as long as it has something to say.
type client struct {
	state string
	err   error // the directory cannot be used

	turn chan struct{} // held while connecting

	mu    sync.Mutex // guards the following
	link  *link      // nil: not connected
	users int        // of link
	timer *time.Timer
}

func newClient(dir string) *client {
	c := &client{turn: make(chan struct{}, 1)}
	c.state, c.err = makeState(dir)
	if c.err != nil {
		c.err = fmt.Errorf("Config.Dir: %w", c.err)
	}
	return c
}

// acquire returns a connection, which the caller releases.
func (c *client) acquire(ctx context.Context) (*link, error) {
	if c.err != nil {
		return nil, c.err
	}
	if l := c.current(); l != nil {
		return l, nil
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l := c.current(); l != nil {
		return l, nil
	}
	l, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link, c.users = l, 1
	return l, nil
}

// current returns the connection if there is one that works.
func (c *client) current() *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || c.link.broken() {
		return nil
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.users++
	return c.link
}

// release closes the connection when nobody needs it for a while.
func (c *client) release(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l {
		return // it broke, and there is another
	}
	c.users--
	if c.users > 0 {
		return
	}
	if c.timer == nil {
		c.timer = time.AfterFunc(lingerTime, c.hangUp)
	}
	c.timer.Reset(lingerTime)
}

func (c *client) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == 0 && c.link != nil {
		c.link.conn.Close()
		c.link = nil
	}
}

// connect reaches the supervisor, and starts one if there is none.
func (c *client) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, reachTime, errReach)
	defer cancel()
	const longest = 250 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		l, err := c.dial(ctx)
		if _, other := errors.AsType[*versionError](err); err == nil || other {
			return l, err
		}
		if err := summon(ctx, c.state); err != nil {
			return nil, err
		}
		if l, err := c.dial(ctx); err == nil {
			return l, nil
		}
		// Another one begins or ends just now.
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, &silentError{c.state, context.Cause(ctx), err}
		}
	}
}

var errReach = fmt.Errorf("it was tried for %v", reachTime)

// silentError says that there is a supervisor which does not answer.
type silentError struct {
	state       string
	reason, err error
}

func (e *silentError) Error() string {
	return fmt.Sprintf("the supervisor of %s does not answer (%v): %v", e.state, e.reason, e.err)
}

func (e *silentError) Unwrap() []error { return []error{e.reason, e.err} }

func (c *client) dial(ctx context.Context) (*link, error) {
	dir, err := openState(c.state)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", socketPath(dir))
	if err != nil {
		return nil, err
	}
	unixConn := conn.(*net.UnixConn)
	if err = checkPeer(unixConn); err == nil {
		err = greetPeer(unixConn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return newLink(conn), nil
}

// forget waits until the supervisor has forgotten the keys.
func (c *client) forget(ctx context.Context, keys []string) error {
	const most = 1024
	for part := range slices.Chunk(keys, most) {
		if err := c.ask(ctx, wire.Forget, wire.AppendStrings(nil, part)); err != nil {
			return err
		}
	}
	return nil
}

// ask makes a call that has one answer.
func (c *client) ask(ctx context.Context, kind wire.Kind, body []byte) error {
	l, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.release(l)
	call := l.open()
	defer l.drop(call)
	l.send(call, kind, body)
	select {
	case <-call.signal:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	switch news := call.take(); {
	case news.failure != nil:
		return restore(news.failure)
	case !news.done:
		return fmt.Errorf("the supervisor of %s is gone", c.state)
	}
	return nil
}

// reach is a context to reach a supervisor in, when ctx may have ended.
func reach(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), reachTime)
}

// detached reports whether ctx has ended to leave the work alone.
func detached(ctx context.Context) bool {
	return ctx.Err() != nil && errors.Is(context.Cause(ctx), executor.ErrDetach)
}
