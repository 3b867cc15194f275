package wire

// Version is the version of the protocol. It is in the path too.
const Version = 1

// Headers of the protocol.
const (
	// HeaderProtocol has the version, in requests and in answers.
	HeaderProtocol = "Daggy-Protocol"
	// HeaderSession has the ID of the session that asks.
	HeaderSession = "Daggy-Session"
	// HeaderTicket has when the daemon answered the session last, in words of its
	// own.
	HeaderTicket = "Daggy-Ticket"
	// HeaderJournal has the ID of the journal that a request is meant for.
	HeaderJournal = "Daggy-Journal"
)

// Paths. A task's are PathTask and its key, and then PathStdout or PathStderr.
const (
	PathTask     = "/api/v1/task/"
	PathTasks    = "/api/v1/tasks"
	PathResults  = "/api/v1/results"
	PathRenew    = "/api/v1/renew"
	PathAck      = "/api/v1/ack"
	PathCapacity = "/api/v1/capacity"
	PathHealth   = "/api/v1/health"
	PathDrain    = "/api/v1/drain"
	PathStdout   = "/stdout"
	PathStderr   = "/stderr"
)

// Limits that both sides keep.
const (
	// MaxSubmission is the most bytes that a submission may have.
	MaxSubmission = 8 << 20
	// MaxBody is the most bytes that any other request may have, apart from a
	// batch of submissions, which has no end.
	MaxBody = 8 << 20
	// MaxKeys is how many keys a request may name.
	MaxKeys = 100_000
	// MaxInline is the most output of a stream that is told with the end of its
	// attempt. Of what is more, only the size is told.
	MaxInline = 16 << 10
	// MaxLine is the longest line that a daemon writes.
	MaxLine = 1 << 20

	maxDepth = 64
	// MaxTicket is the longest ticket.
	MaxTicket = 128

	maxSession = 64
	maxKey     = 64
)

// Values of State.State.
const (
	// Accepted: the key is taken and the work has not reported that it runs.
	Accepted = "accepted"
	// Running: it really runs.
	Running = "running"
	// Ended: it is over, and State.Outcome says how.
	Ended = "ended"
	// NotStarted: certainly nothing was started; the same key may be submitted
	// again.
	NotStarted = "notStarted"
	// Closed: nothing runs under the key and nothing ever will, and nothing else
	// is known of it.
	Closed = "closed"
	// Moved: the attempt belongs to another session now. Only in a stream.
	Moved = "moved"
)

// Values of Outcome.Stopped: on whose account an attempt was stopped.
const (
	StoppedClosed   = "closed"   // a DELETE
	StoppedLease    = "lease"    // its lease was over
	StoppedShutdown = "shutdown" // the daemon ended
)

// Values of Failure.Class.
const (
	// Failed: it could not be run, or how it ended is not known.
	Failed = "failed"
	// Lost: nothing runs under the key and nothing ever will, through no fault of
	// the task.
	Lost = "lost"
	// TimeLimit: it ran longer than it may.
	TimeLimit = "timeLimit"
	// Panicked: it panicked.
	Panicked = "panicked"
)

// Values of Problem.Code. The status says what to do, the code why.
const (
	CodeProtocol  = "protocol"  // 400: another version
	CodeMalformed = "malformed" // 400: it is not JSON, or not of the right form
	CodeSession   = "session"   // 400: it takes a session
	CodeAuth      = "auth"      // 401, 403
	CodeNotFound  = "notFound"  // 404: no such route, or no such key
	CodeMethod    = "method"    // 405
	CodeConflict  = "conflict"  // 409: the key has another body
	CodeClosed    = "closed"    // 410: nothing runs under the key, nor ever will
	CodeElsewhere = "elsewhere" // 412: it is meant for another journal
	CodeTooLarge  = "tooLarge"  // 413
	CodeRange     = "range"     // 416: there is no such output
	CodeInvalid   = "invalid"   // 422: well formed, and cannot be run
	CodeNever     = "never"     // 422: this node is too small for it
	CodeNoRoom    = "noRoom"    // 429: definitely not started
	CodeDraining  = "draining"  // 429: definitely not started
	CodeStale     = "stale"     // 429: definitely not started, the ticket is too old
	CodeJournal   = "journal"   // 503: definitely not started
	CodeEnding    = "ending"    // 503: the daemon ends
)

// CheckKey refuses what cannot be the key of an attempt.
func CheckKey(key string) error {
	if !word(key, maxKey, false) {
		return bad("key", "this must be 1 to 64 of a-z, 0-9 and '-'")
	}
	return nil
}

// CheckSession refuses what cannot be the ID of a session.
func CheckSession(id string) error {
	if !word(id, maxSession, true) {
		return bad(HeaderSession, "this must be 1 to 64 letters, digits and '-'")
	}
	return nil
}

func word(s string, most int, capitals bool) bool {
	if s == "" || len(s) > most {
		return false
	}
	for _, c := range []byte(s) {
		ok := c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' ||
			capitals && c >= 'A' && c <= 'Z'
		if !ok {
			return false
		}
	}
	return true
}
