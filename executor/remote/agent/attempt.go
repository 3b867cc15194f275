package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A phase is how far an attempt has got.
type phase uint8

const (
	claiming   phase = iota // its claim is on its way to the disk
	accepted                // it may have been started
	running                 // it said that it runs
	ended                   // it is over
	notStarted              // nothing was started; it may be submitted again
	moved                   // stands in for one that another session owns now
)

// An attempt is what a daemon knows of a key. All fields are guarded by Agent.mu,
// except those that never change and outputs, which guard themselves.
type attempt struct {
	key       string
	hash      hash // of the submission
	resources dag.Resources
	lease     time.Duration
	contact   time.Duration // when it was submitted last, by the clock of leases

	session *session
	sub     *wire.Submission // what to run; nil: it is not known, or not needed any more
	claim   *flight          // nil: durable, or there is no journal
	room    *capacity.Lease
	phase   phase
	live    bool // a call of the executor is under way
	stop    context.CancelCauseFunc

	stopped string // why it was stopped, as in wire.Outcome
	closer  string // the session that closed it
	late    bool   // it was stopped for its time limit

	ref, node, reason string
	retryAfter        time.Duration
	outputs           *outputs // nil: there are none
	outcome           *wire.Outcome
	kept              int64 // bytes of output, once it has ended
	endedAt           time.Time

	rev        uint64
	prev, next *attempt // of the session, by revision
	changed    []chan struct{}
}

// open reports whether it is not over.
func (at *attempt) open() bool { return at.phase < ended }

// hashOf is what tells a submission from another one under the same key. It is in
// journals, so what it is made of must not change. The salt keeps what is written
// down from being compared with guesses that were made in advance.
func hashOf(salt string, sub *wire.Submission) (h hash, err error) {
	same := *sub
	same.Node, same.Ref, same.Resumed, same.Lease = "", "", false, 0
	same.Stdout, same.Stderr = "", ""
	buf := buffers.Get().(*[]byte)
	b, err := same.Append(append((*buf)[:0], salt...))
	if err == nil {
		sum := sha256.Sum256(b)
		copy(h[:], sum[:])
	}
	if *buf = b; cap(b) <= mostKept {
		buffers.Put(buf)
	}
	return h, err
}

type hash [16]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

func parseHash(text string) (h hash, err error) {
	b, err := hex.DecodeString(text)
	if err == nil && len(b) != len(h) {
		err = hex.ErrLength
	}
	copy(h[:], b)
	return h, err
}

// state is what is told of the attempt. Agent.mu is held.
func (at *attempt) state() wire.State {
	st := wire.State{
		Rev: at.rev, Key: at.key, Ref: at.ref, Node: at.node, Reason: at.reason,
		Stopping: at.stopped != "" && at.open(),
	}
	if at.outputs != nil {
		st.Stdout, st.Stderr = at.outputs[0].length(), at.outputs[1].length()
	}
	switch at.phase {
	case claiming, accepted:
		st.State = wire.Accepted
	case running:
		st.State = wire.Running
	case ended:
		st.State, st.Outcome = wire.Ended, at.outcome
	case notStarted:
		st.State, st.RetryAfter = wire.NotStarted, at.retryAfter
	case moved:
		st = wire.State{Rev: at.rev, Key: at.key, State: wire.Moved}
	}
	return st
}
