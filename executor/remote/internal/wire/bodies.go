package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daggy-go/daggy/dag"
)

// A Problem is the body of every answer that is not a success.
type Problem struct {
	// Text is for people.
	Text string `json:"error"`
	// Code says why, see CodeConflict and the others.
	Code string `json:"code"`
	// Hint says what to do about it. It may be empty.
	Hint string `json:"hint,omitempty"`
	// RetryAfter is how many seconds to wait at least, with 429 and 503.
	RetryAfter float64 `json:"retryAfterSeconds,omitempty"`
	// Lost: no more than that nothing runs under the key is known, with 410. An
	// engine that has recorded no outcome takes the attempt for lost.
	Lost bool `json:"lost,omitempty"`
}

// Retry is RetryAfter as a duration, at most a day.
func (p *Problem) Retry() time.Duration {
	const most = float64(24 * time.Hour)
	return time.Duration(max(0, min(p.RetryAfter*float64(time.Second), most)))
}

// An Answer is a line of the answer to a batch of submissions: what the answer to
// a PUT of one of them would have been.
type Answer struct {
	// Key of the submission. "" if it could not be read; then Line tells which.
	Key string
	// Line counts the submissions of the request, from 1.
	Line int
	// Status is 200 or 201, or that of the problem.
	Status int
	// Problem is nil for 200 and 201.
	Problem *Problem
}

// Append appends the line, with its end.
func (a *Answer) Append(b []byte) []byte {
	w := writer{b: b}
	w.open()
	w.int("line", int64(a.Line))
	w.text("key", a.Key)
	w.int("status", int64(a.Status))
	if a.Problem != nil {
		w.name("error")
		w.b = appendString(w.b, a.Problem.Text)
		w.text("code", a.Problem.Code)
		w.seconds("retryAfterSeconds", a.Problem.Retry())
		w.bool("lost", a.Problem.Lost)
	}
	w.close()
	return append(w.b, '\n')
}

// ParseAnswer reads an answer, leniently. What it returns shares nothing with data.
func ParseAnswer(data []byte) (Answer, error) {
	s := scanner{data: data, lenient: true}
	var a Answer
	var p Problem
	s.object("", func(name []byte) {
		switch string(name) {
		case "line":
			a.Line = s.count("line")
		case "key":
			a.Key = s.text("key")
		case "status":
			a.Status = s.count("status")
		case "error":
			p.Text = s.text("error")
		case "code":
			p.Code = s.text("code")
		case "retryAfterSeconds":
			p.RetryAfter = s.seconds("retryAfterSeconds").Seconds()
		case "lost":
			p.Lost = s.bool("lost")
		default:
			s.skip()
		}
	})
	if p != (Problem{}) {
		a.Problem = &p
	}
	return a, s.end()
}

// Keys is the body of a renewal and of an acknowledgement.
type Keys struct {
	Keys []string `json:"keys"`
}

// Renewed is the answer to a renewal.
type Renewed struct {
	// Missing are the keys, of those that were named, that the session does not
	// have here: they were never submitted, belong to another session, or are
	// closed.
	Missing []string `json:"missing,omitempty"`
}

// Acknowledged is the answer to an acknowledgement.
type Acknowledged struct {
	// Open are the keys that are not over, so that nothing was done for them.
	Open []string `json:"open,omitempty"`
}

// A Capacity is what a node has.
type Capacity struct {
	Node  string        `json:"node"`
	Total dag.Resources `json:"total"`
	Free  dag.Resources `json:"free"`
	// Leases is how many attempts have a part of it.
	Leases int `json:"leases"`
	// Own is the part of what is not free that the attempts have which the session
	// owns. Only in a stream.
	Own dag.Resources `json:"own,omitempty"`
	// Draining: nothing new is taken.
	Draining bool `json:"draining,omitempty"`
	// Trouble is why nothing new can be taken for now. "": none.
	Trouble string `json:"trouble,omitempty"`
}

// Health says what a daemon is, and how it is.
type Health struct {
	// Protocol is the version that is spoken, Version that of the library.
	Protocol int    `json:"protocol"`
	Version  string `json:"version,omitempty"`
	// Journal tells this journal from all others. A key that was submitted under
	// one is only known under the same. "": there is none, the daemon forgets all
	// when it ends.
	Journal string `json:"journal,omitempty"`
	// Boot tells this boot of the machine from all others. "": not known.
	Boot string `json:"boot,omitempty"`
	// Start tells this start of the daemon from all others.
	Start string `json:"start"`
	// Durable: attempts outlive the daemon.
	Durable bool `json:"durable,omitempty"`
	// LeaseHolds: what runs is stopped at the end of its lease even if the daemon
	// has been killed or stands still.
	LeaseHolds bool `json:"leaseHolds,omitempty"`
	// StopSeconds is how long it may take, from the end of a lease, until nothing
	// of the attempt runs any more. 0: not known.
	StopSeconds float64 `json:"stopSeconds,omitempty"`
	// Trouble is why nothing new can be taken for now. "": none.
	Trouble string `json:"trouble,omitempty"`
	// Open is how many attempts are not over, Ended how many are kept.
	Open  int `json:"open"`
	Ended int `json:"ended"`
	// Load is the machine's, over one minute. 0: not known.
	Load     float64  `json:"load,omitempty"`
	Capacity Capacity `json:"capacity"`
}

// StopTime is StopSeconds as a duration. It is not known if there are none, or more of
// them than a year has.
func (h *Health) StopTime() (d time.Duration, known bool) {
	const most = 365 * 24 * time.Hour
	if !(h.StopSeconds > 0 && h.StopSeconds <= most.Seconds()) {
		return 0, false
	}
	return time.Duration(h.StopSeconds * float64(time.Second)), true
}

var keysMembers = []string{"keys"}

// ParseKeys reads Keys, strictly.
func ParseKeys(data []byte) ([]string, error) {
	s := scanner{data: data}
	var keys []string
	var seen uint32
	s.object("", func(name []byte) {
		if s.known(name, "", keysMembers, &seen) != "" {
			keys = s.texts("keys")
		}
	})
	if err := s.end(); err != nil {
		return nil, err
	}
	if len(keys) > MaxKeys {
		text := fmt.Sprintf("these are %d, at most %d are read", len(keys), MaxKeys)
		return nil, bad("keys", text)
	}
	for _, key := range keys {
		if err := CheckKey(key); err != nil {
			text := "the key " + shorten(key) + " is not made of 1 to 64 of a-z, 0-9 and '-'"
			return nil, bad("keys", text)
		}
	}
	return keys, nil
}

// ParseNothing reads a body that says nothing: it is empty, or an object without members.
func ParseNothing(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	s := scanner{data: data}
	var seen uint32
	s.object("", func(name []byte) { s.known(name, "", nil, &seen) })
	return s.end()
}

// Decode reads the body of an answer that goes through encoding/json, leniently.
// It reads [MaxLine] bytes at most.
func Decode(r io.Reader, v any) error {
	data, err := io.ReadAll(io.LimitReader(r, MaxLine+1))
	if err != nil {
		return err
	}
	if len(data) > MaxLine {
		return errors.New("the answer is too long")
	}
	return json.NewDecoder(bytes.NewReader(data)).Decode(v)
}
