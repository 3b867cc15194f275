package wire

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// A State is what a daemon knows of an attempt.
type State struct {
	// Rev rises with each change, over all attempts of a daemon since its start.
	Rev uint64
	Key string
	// State is one of Accepted, Running, Ended, NotStarted, Closed and Moved.
	State string
	// Ref is what it is called where it runs, Node where that is.
	Ref, Node string
	// Reason says why it does not run yet, or did not start.
	Reason string
	// RetryAfter is how long to wait at least before it is submitted again, if
	// it is NotStarted.
	RetryAfter time.Duration
	// Stdout and Stderr are how many bytes of output there are.
	Stdout, Stderr int64
	// Stopping: it was asked to stop.
	Stopping bool
	// Outcome is set if it is Ended.
	Outcome *Outcome
}

// An Outcome is how an attempt ended.
type Outcome struct {
	Result executor.Result
	// Failure: it could not be run. Nil: Result has what the command did.
	Failure *Failure
	// Stopped says on whose account it was stopped. "": on nobody's.
	Stopped string
	// Inline: Stdout and Stderr are all of the outputs. Otherwise they are to be
	// fetched, or are gone.
	Inline         bool
	Stdout, Stderr []byte
	// Gone: the outputs are not kept any more.
	Gone bool
}

// Append appends the state as JSON, without a line end.
func (st *State) Append(b []byte) []byte {
	w := writer{b: b}
	w.open()
	w.name("rev")
	w.b = strconv.AppendUint(w.b, st.Rev, 10)
	w.text("key", st.Key)
	w.text("state", st.State)
	w.text("ref", st.Ref)
	w.text("node", st.Node)
	w.text("reason", st.Reason)
	w.seconds("retryAfterSeconds", st.RetryAfter)
	w.int("stdout", st.Stdout)
	w.int("stderr", st.Stderr)
	w.bool("stopping", st.Stopping)
	if st.Outcome != nil {
		w.name("outcome")
		w.outcome(st.Outcome)
	}
	w.close()
	return w.b
}

func (w *writer) outcome(o *Outcome) {
	w.open()
	w.name("result")
	w.result(&o.Result)
	if o.Failure != nil {
		w.name("failure")
		w.failure(o.Failure)
	}
	w.text("stopped", o.Stopped)
	w.bool("inline", o.Inline)
	w.base64("stdout", o.Stdout)
	w.base64("stderr", o.Stderr)
	w.bool("gone", o.Gone)
	w.close()
}

// result writes what encoding/json writes.
func (w *writer) result(r *executor.Result) {
	w.open()
	w.int("exitCode", int64(r.ExitCode))
	w.text("signal", r.Signal)
	w.text("cause", string(r.Cause))
	w.text("message", r.Message)
	w.text("node", r.Node)
	w.time("start", r.Start)
	w.time("end", r.End)
	w.int("userCPU", int64(r.UserCPU))
	w.int("systemCPU", int64(r.SystemCPU))
	w.int("maxRSS", r.MaxRSS)
	if len(r.Left) > 0 {
		w.texts("left", r.Left)
	}
	if len(r.Unenforced) > 0 {
		w.texts("unenforced", r.Unenforced)
	}
	w.close()
}

// time writes a time unless it is zero, or of a year that JSON has no form for.
func (w *writer) time(name string, t time.Time) {
	if t.IsZero() || t.Year() < 0 || t.Year() > 9999 {
		return
	}
	w.name(name)
	w.b = append(w.b, '"')
	w.b = t.UTC().AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

func (w *writer) base64(name string, data []byte) {
	if len(data) > 0 {
		w.name(name)
		w.b = append(w.b, '"')
		w.b = base64.StdEncoding.AppendEncode(w.b, data)
		w.b = append(w.b, '"')
	}
}

// ParseState reads a state, leniently. What it returns shares nothing with data.
func ParseState(data []byte) (State, error) {
	s := scanner{data: data, lenient: true}
	var st State
	s.object("", func(name []byte) { s.state(&st, name) })
	return st, s.end()
}

// state reads the value of a member.
func (s *scanner) state(st *State, name []byte) {
	switch string(name) {
	case "rev":
		st.Rev = s.rev("rev")
	case "key":
		st.Key = s.text("key")
	case "state":
		st.State = s.stateName()
	case "ref":
		st.Ref = s.text("ref")
	case "node":
		st.Node = s.text("node")
	case "reason":
		st.Reason = s.text("reason")
	case "retryAfterSeconds":
		st.RetryAfter = s.seconds("retryAfterSeconds")
	case "stdout":
		st.Stdout = s.size("stdout")
	case "stderr":
		st.Stderr = s.size("stderr")
	case "stopping":
		st.Stopping = s.bool("stopping")
	case "outcome":
		st.Outcome = s.outcome()
	default:
		s.unknown("", name)
	}
}

func (s *scanner) rev(field string) uint64 {
	b := s.number(field)
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		s.fail(field, "this must be a whole number of at least 0")
	}
	return n
}

// stateName takes no memory for those that are known.
func (s *scanner) stateName() string {
	b := s.bytes("state")
	for _, known := range [...]string{Ended, Running, Accepted, NotStarted, Closed, Moved} {
		if string(b) == known {
			return known
		}
	}
	return string(b)
}

func (s *scanner) outcome() *Outcome {
	o := &Outcome{}
	s.object("outcome", func(name []byte) {
		switch string(name) {
		case "result":
			s.result(&o.Result)
		case "failure":
			o.Failure = &Failure{}
			s.failure(o.Failure)
		case "stopped":
			o.Stopped = s.text("outcome.stopped")
		case "inline":
			o.Inline = s.bool("outcome.inline")
		case "stdout":
			o.Stdout = s.base64("outcome.stdout")
		case "stderr":
			o.Stderr = s.base64("outcome.stderr")
		case "gone":
			o.Gone = s.bool("outcome.gone")
		default:
			s.unknown("outcome", name)
		}
	})
	return o
}

// result reads a result. Nearly all are short, with nothing in them that is not
// read here.
func (s *scanner) result(r *executor.Result) {
	const field = "outcome.result"
	s.object(field, func(name []byte) {
		switch string(name) {
		case "exitCode":
			r.ExitCode = int(s.int(field))
		case "signal":
			r.Signal = s.text(field)
		case "cause":
			r.Cause = executor.Cause(s.text(field))
		case "message":
			r.Message = s.text(field)
		case "node":
			r.Node = s.text(field)
		case "start":
			r.Start = s.time(field)
		case "end":
			r.End = s.time(field)
		case "userCPU":
			r.UserCPU = time.Duration(s.int(field))
		case "systemCPU":
			r.SystemCPU = time.Duration(s.int(field))
		case "maxRSS":
			r.MaxRSS = s.int(field)
		case "left":
			r.Left = s.texts(field)
		case "unenforced":
			r.Unenforced = s.texts(field)
		default:
			s.unknown(field, name)
		}
	})
}

func (s *scanner) time(field string) time.Time {
	var t time.Time
	if err := t.UnmarshalText(s.bytes(field)); err != nil && s.err == nil {
		s.fail(field, "this must be a time")
	}
	return t
}

func (s *scanner) base64(field string) []byte {
	data, err := base64.StdEncoding.AppendDecode(nil, s.bytes(field))
	if err != nil {
		s.fail(field, "this is not base64")
	}
	return data
}

// MarshalJSON is Append.
func (st *State) MarshalJSON() ([]byte, error) { return st.Append(nil), nil }

// UnmarshalJSON is ParseState.
func (st *State) UnmarshalJSON(data []byte) error {
	parsed, err := ParseState(data)
	if err == nil {
		*st = parsed
	}
	return err
}

var (
	_ json.Marshaler   = (*State)(nil)
	_ json.Unmarshaler = (*State)(nil)
)
