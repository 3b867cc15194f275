package agent

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A caller is who makes a request.
type caller struct {
	session string
	// heard is from when leases count that the request begins or renews, by the
	// clock of leases: when its ticket was issued, or else when it was received.
	heard time.Duration
	// known: it has a ticket, of this boot of the machine or of another.
	known bool
}

// stale reports whether a lease of that length would be over already.
func (c caller) stale(lease, now time.Duration) bool {
	return c.known && lease > 0 && now-c.heard > lease
}

const ticketBase = 36

// newTicket says when it is, to this daemon and to those after it until the machine
// is booted again.
func (a *Agent) newTicket() string {
	return a.ticketBoot + "." + strconv.FormatInt(int64(sinceBoot()), ticketBase)
}

// callerOf returns who makes a request, and gives it a ticket. If the request does
// not say, it is answered and ok is false.
func (a *Agent) callerOf(w http.ResponseWriter, r *http.Request) (c caller, ok bool) {
	c.session = r.Header.Get(wire.HeaderSession)
	if err := wire.CheckSession(c.session); err != nil {
		answerProblem(w, refused(http.StatusBadRequest, wire.CodeSession, err.Error()))
		return c, false
	}
	now := sinceBoot()
	w.Header()[wire.HeaderTicket] = []string{a.newTicket()}
	c.heard = now
	if ticket := r.Header.Get(wire.HeaderTicket); ticket != "" {
		c.known, c.heard = true, a.issued(ticket, now)
	}
	return c, true
}

// issued is when a ticket was issued. One of another boot, or of nobody, is as old as
// can be.
func (a *Agent) issued(ticket string, now time.Duration) time.Duration {
	boot, text, _ := strings.Cut(ticket, ".")
	n, err := strconv.ParseInt(text, ticketBase, 64)
	at := time.Duration(n)
	if boot != a.ticketBoot || err != nil || at < 0 || at > now {
		return 0
	}
	return at
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
