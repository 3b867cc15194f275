package httpguard

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// sparing logs refusals, one a second at most: whoever is refused must not be able
// to fill a disk.
type sparing struct {
	log  *slog.Logger
	rest time.Duration // between two of them

	mu     sync.Mutex
	next   time.Time // guarded by mu
	silent int       // guarded by mu, not logged since the last one
}

func (s *sparing) say(r *http.Request, pattern string, e *Error) {
	s.mu.Lock()
	now := time.Now()
	if now.Before(s.next) {
		s.silent++
		s.mu.Unlock()
		return
	}
	silent := s.silent
	s.silent, s.next = 0, now.Add(s.rest)
	s.mu.Unlock()
	s.log.Warn("request refused", slog.String("remote", r.RemoteAddr),
		slog.String("route", pattern), slog.Int("status", e.Status), slog.String("reason", e.Text),
		slog.Int("unreported", silent))
}
