package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// streamPatience is how long nothing may come from a daemon that says every ten
// seconds that it is there.
const streamPatience = 30 * time.Second

// listen keeps a stream of results open for as long as the node is in the fleet.
func (n *node) listen(ctx context.Context, p *endpoint) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	pause := time.Duration(0)
	for tries := 0; ; {
		begun := time.Now()
		up, err := n.follow(ctx, p)
		if ctx.Err() != nil {
			return
		}
		if up && time.Since(begun) > pause {
			tries = 0
		}
		tries++
		n.disconnected(p, err)
		p.close() // what is kept open may lead to another daemon than the next stream
		if up || tries == 1 {
			n.config.Logger.Warn("node cannot be reached", nodeAttr(n.name), slog.Any("err", err))
		}
		pause = n.backoff(tries)
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// backoff is how long to wait after so many failures in a row: twice as long after
// each, and something between half of that and all.
func (e *Executor) backoff(failures int) time.Duration {
	d := e.config.MinBackoff << min(failures-1, 20)
	if d <= 0 || d > e.config.MaxBackoff {
		d = e.config.MaxBackoff
	}
	return d/2 + rand.N(d/2+1)
}

// follow reads one stream until it ends, and reports whether there was one.
func (n *node) follow(ctx context.Context, p *endpoint) (up bool, err error) {
	if err := p.refresh(); err != nil {
		return false, err
	}
	var health wire.Health
	ask := request{method: http.MethodGet, path: wire.PathHealth}
	if err := p.fetch(ctx, ask, &health); err != nil {
		return false, err
	}
	if err := n.fits(&health); err != nil {
		return false, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(streamPatience, func() { cancel(errSilent) })
	defer watchdog.Stop()
	ask = request{method: http.MethodGet, path: n.streamPath()}
	resp, err := peer{p, health.Journal}.do(ctx, ask)
	if err != nil {
		return false, causeOf(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 0, 16<<10), wire.MaxLine)
	for lines.Scan() {
		watchdog.Reset(streamPatience)
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		event, err := wire.ParseEvent(lines.Bytes())
		switch {
		case err != nil:
			return up, fmt.Errorf("it says what cannot be read: %w", err)
		case event.Hello == nil && !up:
			return up, errors.New("its stream does not begin with hello")
		case event.Hello != nil && event.Hello.Start != health.Start:
			return up, errors.New("it was started anew just now")
		case event.Hello != nil:
			up = true
			n.connected(p, &health, event.Hello, cancel)
			n.config.Logger.Info("node is there", nodeAttr(n.name))
		default:
			n.heard(p, &event)
		}
	}
	if err := lines.Err(); err != nil {
		return up, causeOf(ctx, err)
	}
	return up, errors.New("it has ended its stream")
}

var (
	errSilent     = fmt.Errorf("nothing has come from it for %v", streamPatience)
	errUnanswered = errors.New("it has not answered a request")
)

// causeOf prefers why a request was given up to the fact that it was.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// fits refuses a daemon that cannot be worked with.
func (n *node) fits(h *wire.Health) error {
	switch {
	case h.Protocol != wire.Version:
		return &versionError{strconv.Itoa(h.Protocol)}
	case h.Start == "":
		return errors.New("it is no runner daemon: its health has no start")
	case h.Journal == "" && !n.config.Ephemeral:
		return errors.New("it keeps no journal; give it one, or set Config.Ephemeral")
	}
	return nil
}

func (n *node) streamPath() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.start == "" {
		return wire.PathResults
	}
	return wire.PathResults + "?after=" + strconv.FormatUint(n.rev, 10) +
		"&start=" + url.QueryEscape(n.start)
}

// heard takes a line of the stream.
func (n *node) heard(p *endpoint, event *wire.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.endpoint != p:
		// The node has left the fleet.
	case event.State != nil:
		n.rev = max(n.rev, event.State.Rev)
		n.take(event.State)
	case event.Capacity != nil:
		n.capacity(event.Capacity)
	}
}

func nodeAttr(name string) slog.Attr { return slog.String("node", name) }

func keyAttr(key string) slog.Attr { return slog.String("key", key) }
