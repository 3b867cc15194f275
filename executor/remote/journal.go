package remote

import "strings"

// Refs tell by whom an attempt was taken, for engines that come later: a daemon that
// has lost its journal would start it again.

// ref is what the log has of e.
func (e *entry) ref() string {
	if e.journal == "" {
		return e.state.Ref
	}
	return e.journal + "/" + e.boot + "/" + e.state.Ref
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
	if e.over {
		return
	}
	if e.unsent() {
		e.journal, e.boot = "", "" // it was not taken by that one
		if e.foreign {
			e.foreign = false
			n.again(e)
		}
	}
	if e.journal == "" || journal == "" || n.config.Ephemeral {
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
	if !e.closing {
		e.resume = true
	}
	n.again(e)
}

// again asks for what is wanted of e.
func (n *node) again(e *entry) {
	if e.closing {
		n.enqueueClose(e)
		return
	}
	n.enqueue(e)
}

// stray is for what turns out to be unsent after all, when the daemon has become another
// meanwhile.
func (n *node) stray(e *entry) {
	if e.foreign && e.unsent() {
		n.checkJournal(e)
	}
}
