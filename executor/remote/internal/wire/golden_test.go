package wire_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "testdata/v1.txt"

// TestGolden holds the texts of this version of the protocol: a daemon may be
// older or newer than a client, and each must read what the other writes.
func TestGolden(t *testing.T) {
	t.Parallel()
	got := transcript(t)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// What was written once is read for ever.
func TestGoldenIsRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(golden)
	require.NoError(t, err)
	read := map[string]func([]byte) error{
		"submission": func(b []byte) error { _, err := wire.ParseSubmission(b); return err },
		"state":      func(b []byte) error { _, err := wire.ParseState(b); return err },
		"event":      func(b []byte) error { _, err := wire.ParseEvent(b); return err },
		"answer":     func(b []byte) error { _, err := wire.ParseAnswer(b); return err },
		"keys":       func(b []byte) error { _, err := wire.ParseKeys(b); return err },
		"problem":    func(b []byte) error { return json.Unmarshal(b, new(wire.Problem)) },
		"renewed":    func(b []byte) error { return json.Unmarshal(b, new(wire.Renewed)) },
		"acked":      func(b []byte) error { return json.Unmarshal(b, new(wire.Acknowledged)) },
		"health":     func(b []byte) error { return json.Unmarshal(b, new(wire.Health)) },
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines {
		kind, body, _ := strings.Cut(line, " ")
		require.Contains(t, read, kind)
		require.NoError(t, read[kind]([]byte(body)), line)
	}
}

// transcript has a line for each thing that is said.
func transcript(tb testing.TB) string {
	tb.Helper()
	var b strings.Builder
	say := func(kind string, body []byte, err error) {
		require.NoError(tb, err)
		b.WriteString(kind + " " + strings.TrimSuffix(string(body), "\n") + "\n")
	}
	sayJSON := func(kind string, v any) {
		data, err := json.Marshal(v)
		say(kind, data, err)
	}
	event := func(e wire.Event) {
		line, err := e.Append(nil)
		say("event", line, err)
	}
	small := &wire.Submission{
		Key: "dag-7-0-0-1", Run: "7", Task: "t", Instance: "t", Number: 1,
		Job: dag.Command("true"),
	}
	for _, s := range []*wire.Submission{small, submission()} {
		data, err := s.Append(nil)
		say("submission", data, err)
	}
	node := wire.Capacity{
		Node: "n", Total: dag.Resources{dag.Cores: 4}, Free: dag.Resources{dag.Cores: 3}, Leases: 1,
	}
	accepted := &wire.State{Rev: 3, Key: "dag-7-0-0-1", State: wire.Accepted}
	done := &wire.State{
		Rev: 5, Key: "dag-7-0-0-1", State: wire.Ended,
		Outcome: &wire.Outcome{Inline: true},
	}
	say("state", accepted.Append(nil), nil)
	say("state", ended().Append(nil), nil)
	event(wire.Event{Hello: &wire.Hello{Start: "s1", After: 0, Rev: 2}})
	event(wire.Event{State: accepted})
	event(wire.Event{State: done})
	event(wire.Event{Capacity: &node})
	event(wire.Event{Ping: true})
	shared := node
	shared.Own, shared.Trouble = dag.Resources{dag.Cores: 1}, "no space"
	event(wire.Event{Capacity: &shared})
	say("answer", (&wire.Answer{Line: 1, Key: "dag-7-0-0-1", Status: 201}).Append(nil), nil)
	full := &wire.Problem{
		Text: "no room: needs 2 cores, 1 is free", Code: wire.CodeNoRoom,
		RetryAfter: 1,
	}
	say("answer", (&wire.Answer{Line: 2, Key: "k", Status: 429, Problem: full}).Append(nil), nil)
	sayJSON("problem", full)
	sayJSON("problem", wire.Problem{Text: "forgotten", Code: wire.CodeClosed, Lost: true})
	sayJSON("keys", wire.Keys{Keys: []string{"dag-7-0-0-1"}})
	sayJSON("renewed", wire.Renewed{Missing: []string{"k"}})
	sayJSON("acked", wire.Acknowledged{Open: []string{"k"}})
	sayJSON("health", wire.Health{
		Protocol: wire.Version, Version: "v1.2.3", Journal: "j1", Boot: "b1", Start: "s1",
		Durable: true, LeaseHolds: true, StopSeconds: 11, Trouble: "no space",
		Open: 1, Ended: 2, Load: 0.5, Capacity: node,
	})
	return b.String()
}
