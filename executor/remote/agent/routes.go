package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/httpguard"
)

// routes makes the guard, and gives it the routes.
func (a *Agent) routes() error {
	g, err := httpguard.New(httpguard.Config{
		Auth: a.config.Auth, Hosts: a.config.Hosts, Logger: a.logger,
	})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	a.guard = g
	lines := []string{httpguard.NDJSON, httpguard.JSON}
	for _, r := range []struct {
		pattern string
		role    httpguard.Role
		body    int64
		types   []string
		serve   func(http.ResponseWriter, *http.Request)
	}{
		{"PUT " + wire.PathTask + "{key}", httpguard.Submit, wire.MaxSubmission, nil, a.servePut},
		{"GET " + wire.PathTask + "{key}", httpguard.Read, -1, nil, a.serveState},
		{"DELETE " + wire.PathTask + "{key}", httpguard.Submit, -1, nil, a.serveDelete},
		{"GET " + wire.PathTask + "{key}/stdout", httpguard.Read, -1, nil, a.serveOutput(0)},
		{"GET " + wire.PathTask + "{key}/stderr", httpguard.Read, -1, nil, a.serveOutput(1)},
		{"POST " + wire.PathTasks, httpguard.Submit, 0, lines, a.serveBatch},
		{"GET " + wire.PathResults, httpguard.Submit, -1, nil, a.serveResults},
		{"POST " + wire.PathRenew, httpguard.Submit, wire.MaxBody, nil, a.serveRenew},
		{"POST " + wire.PathAck, httpguard.Submit, wire.MaxBody, nil, a.serveAck},
		{"GET " + wire.PathCapacity, httpguard.Read, -1, nil, a.serveCapacity},
		{"GET " + wire.PathHealth, httpguard.Read, -1, nil, a.serveHealth},
		{"POST " + wire.PathDrain, httpguard.Submit, wire.MaxBody, nil, a.serveDrain},
	} {
		g.Handle(httpguard.Route{
			Pattern: r.pattern, Role: r.role, MaxBody: r.body, Types: r.types,
			Stream: r.pattern == "POST "+wire.PathTasks, Handler: a.speaking(r.serve),
		})
	}
	return nil
}

var protocolVersion = []string{strconv.Itoa(wire.Version)}

// speaking checks that both sides speak the same version, and of the same journal.
func (a *Agent) speaking(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()[wire.HeaderProtocol] = protocolVersion
		version, journal := r.Header.Get(wire.HeaderProtocol), r.Header.Get(wire.HeaderJournal)
		switch {
		case version != "" && version != protocolVersion[0]:
			answerUnlooked(w, r, refused(http.StatusBadRequest, wire.CodeProtocol,
				fmt.Sprintf("the client speaks version %q of the protocol, this daemon %s",
					version, protocolVersion[0])))
		case journal != "" && journal != a.journalID():
			answerUnlooked(w, r, refused(http.StatusPreconditionFailed, wire.CodeElsewhere,
				fmt.Sprintf("the request is for a daemon with journal %q, and this one has %q",
					journal, a.journalID())))
		default:
			serve(w, r)
		}
	})
}

// ServeHTTP answers requests, of those whom [Config].Auth lets in.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.guard.ServeHTTP(w, r) }

// Guard returns what stands before the routes, to add others, of this module's
// programs.
func (a *Agent) Guard() *httpguard.Guard { return a.guard }

// Serve listens and answers requests until ctx ends. It does not end what runs, see
// [Agent.Drain] and [Agent.Shutdown]. ready, if it is not nil, is called with the
// address when the socket is open.
func (a *Agent) Serve(ctx context.Context, l Listening, ready func(address string)) error {
	listener, err := a.guard.Listen(ctx, l)
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return a.ServeListener(ctx, listener, ready)
}

// ServeListener is [Agent.Serve] for a socket that [httpguard.Guard.Listen] or Adopt
// has made.
func (a *Agent) ServeListener(
	ctx context.Context, l *httpguard.Listener, ready func(address string),
) error {
	if os.Geteuid() == 0 && !a.config.AllowRoot && !httpguard.Local(l.Addr()) {
		return errors.Join(errRoot, l.Close())
	}
	if ready != nil {
		ready(l.Addr().String())
	}
	if err := a.guard.Serve(ctx, l, nil); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}

var errRoot = errors.New("agent: this would run what the network sends as root: run the daemon" +
	" as another user, or set Config.AllowRoot")
