package httpguard

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What each connection may take before a request is there.
const (
	headerPatience = 5 * time.Second // also for a TLS handshake
	idlePatience   = 2 * time.Minute
	maxHeader      = 64 << 10 // bytes
)

// Serve answers requests on l with h until ctx ends, and then waits for what is
// being answered, as [Listening] says. h has the guard inside; nil is the guard.
// Streams have to be ended by who writes them, or they use up the grace time. l is
// closed. The error is nil if nothing but ctx ended it and nothing had to be cut
// off.
func (g *Guard) Serve(ctx context.Context, l *Listener, h http.Handler) error {
	if h == nil {
		h = g
	}
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	s := &http.Server{
		Handler: h,
		// OPTIONS * is for the guard as well.
		DisableGeneralOptionsHandler: true,
		ReadHeaderTimeout:            headerPatience,
		IdleTimeout:                  idlePatience,
		MaxHeaderBytes:               maxHeader,
		Protocols:                    protocols,
		ErrorLog:                     slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		BaseContext:                  func(net.Listener) context.Context { return requests },
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return errors.Join(err, s.Close())
	case <-ctx.Done():
	}
	return errors.Join(stop(ctx, s, l.grace), ignoreClosed(<-served))
}

func stop(ctx context.Context, s *http.Server, grace time.Duration) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), max(grace, 0))
	defer cancel()
	if err := s.Shutdown(within); err != nil {
		return errors.Join(errors.New("httpguard: requests were cut off at the end"), s.Close())
	}
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
