package agent

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/boot"
)

// A caller is who makes a request.
type caller struct {
	session string
	// heard is from when leases count that the request begins or renews, by the
	// clock of leases: when its ticket was issued, or else when it was received.
	heard time.Duration
	now   time.Duration // when the request was received
	// known: it has a ticket. strange: one of another boot of the machine, or of
	// nobody, so that nothing is known of when that was.
	known, strange bool
}

// stale reports whether a lease of that length would be over already.
func (c caller) stale(lease time.Duration) bool {
	return c.known && lease > 0 && (c.strange || c.now-c.heard > lease)
}

const ticketBase = 36

// newTicket says when it is, to this daemon and to those after it until the machine
// is booted again.
func (a *Agent) newTicket() string {
	return a.ticketBoot + "." + strconv.FormatInt(int64(boot.Since()), ticketBase)
}

// callerOf returns who makes a request, and gives it a ticket. If the request does
// not say, it is answered and ok is false.
func (a *Agent) callerOf(w http.ResponseWriter, r *http.Request) (c caller, ok bool) {
	c.session = r.Header.Get(wire.HeaderSession)
	if err := wire.CheckSession(c.session); err != nil {
		answerUnlooked(w, r, refused(http.StatusBadRequest, wire.CodeSession, err.Error()))
		return c, false
	}
	now := boot.Since()
	w.Header()[wire.HeaderTicket] = []string{a.newTicket()}
	c.heard, c.now = now, now
	if ticket := r.Header.Get(wire.HeaderTicket); ticket != "" {
		c.heard, c.known = a.issued(ticket, now)
		c.known, c.strange = true, !c.known
	}
	return c, true
}

// issued is when a ticket was issued, if this is one of this boot.
func (a *Agent) issued(ticket string, now time.Duration) (at time.Duration, ok bool) {
	boot, text, _ := strings.Cut(ticket, ".")
	n, err := strconv.ParseInt(text, ticketBase, 64)
	if boot != a.ticketBoot || err != nil || n < 0 || n > int64(now) {
		return 0, false
	}
	return time.Duration(n), true
}

// ticketBootOf shortens the ID of a boot. Where there is none, a ticket is only good
// for this daemon.
func ticketBootOf(boot, start string) string {
	const most = 32
	id := strings.ReplaceAll(boot, "-", "")
	if id == "" {
		id = start
	}
	return id[:min(len(id), most)]
}
