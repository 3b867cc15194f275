package wire

import (
	"bytes"
	"encoding/json"
)

// An Event is a line of a stream of results. One of its fields is set, or none: it
// is of a kind that came later, or a ping.
type Event struct {
	Hello    *Hello
	State    *State
	Capacity *Capacity
	// Ping says only that the daemon is there.
	Ping bool
}

// A Hello is the first line of a stream.
type Hello struct {
	// Start is that of Health. Revisions are only good with it.
	Start string `json:"start"`
	// After is where the stream goes on: 0 if the client had been told by a
	// daemon that has ended since.
	After uint64 `json:"after"`
	// Rev is the newest revision. What the client knows, and was not told of when
	// it has seen a State of Rev or any event later, has not changed.
	Rev uint64 `json:"rev"`
}

// Append appends the line, with its end.
func (e *Event) Append(b []byte) ([]byte, error) {
	if e.State != nil {
		return append(e.State.Append(b), '\n'), nil
	}
	var line struct {
		Hello    *Hello    `json:"hello,omitempty"`
		Capacity *Capacity `json:"capacity,omitempty"`
		Ping     bool      `json:"ping,omitempty"`
	}
	line.Hello, line.Capacity, line.Ping = e.Hello, e.Capacity, e.Ping
	data, err := json.Marshal(&line)
	if err != nil {
		return b, err
	}
	return append(append(b, data...), '\n'), nil
}

// ParseEvent reads a line, leniently. What it returns shares nothing with data.
func ParseEvent(data []byte) (Event, error) {
	if bytes.HasPrefix(data, []byte(`{"rev":`)) {
		st, err := ParseState(data)
		return Event{State: &st}, err
	}
	var e Event
	s := scanner{data: data, lenient: true}
	s.object("", func(name []byte) {
		switch string(name) {
		case "hello":
			e.Hello = new(Hello)
			s.body(e.Hello)
		case "capacity":
			e.Capacity = new(Capacity)
			s.body(e.Capacity)
		case "ping":
			e.Ping = s.bool("ping")
		default:
			s.skip()
		}
	})
	if err := s.end(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// body reads a value by way of encoding/json.
func (s *scanner) body(v any) {
	if raw := s.raw(); s.err == nil {
		if err := json.Unmarshal(raw, v); err != nil {
			s.fail("", err.Error())
		}
	}
}
