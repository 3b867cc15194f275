package remote

import (
	"strings"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// Refs tell by whom an attempt was taken, for engines that come later: a daemon that
// has lost its journal would start it again.

func makeRef(h *wire.Health, ref string) string {
	if h.Journal == "" {
		return ref
	}
	return h.Journal + "/" + h.Boot + "/" + ref
}

func splitRef(s string) (journal, boot, ref string) {
	journal, rest, ok := strings.Cut(s, "/")
	if !ok {
		return "", "", s
	}
	boot, ref, _ = strings.Cut(rest, "/")
	return journal, boot, ref
}

// checkJournal looks whether the daemon that is there now can know e.
func (n *node) checkJournal(e *entry) {
	journal := n.health.Journal
	if e.unsent() {
		e.journal, e.boot = "", "" // it was not taken by that one
	}
	if e.journal == "" || journal == "" || n.config.Ephemeral || e.over {
		return
	}
	before := e.foreign
	e.foreign = e.journal != journal
	if before && !e.foreign {
		n.afresh(e)
	}
	if !e.foreign {
		return
	}
	if e.boot != "" && n.health.Boot != "" && e.boot != n.health.Boot {
		// It was rebooted, so nothing runs, and this one is as good as the other.
		e.foreign, e.journal, e.boot = false, journal, n.health.Boot
		n.close(e, "", true)
		n.enqueueClose(e) // the other may have been asked before
		return
	}
	n.config.Logger.Warn("node has another journal than when it took an attempt",
		nodeAttr(n.name), keyAttr(e.key))
	e.notify()
}

// afresh asks for what is wanted of e, of a daemon that may know it again.
func (n *node) afresh(e *entry) {
	e.owned = false
	if e.closing {
		n.enqueueClose(e)
		return
	}
	e.resume = true
	n.enqueue(e)
}
