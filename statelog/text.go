package statelog

import (
	"fmt"
	"slices"
	"strconv"
)

var kinds = []string{
	Opened:     "opened",
	Resumed:    "resumed",
	Intent:     "intent",
	Started:    "started",
	Done:       "done",
	Lost:       "lost",
	NotStarted: "notStarted",
	Decided:    "decided",
	Closed:     "closed",
	Reopened:   "reopened",
	Detached:   "detached",
}

var decisions = []string{
	Kill:     "kill",
	Hold:     "hold",
	Release:  "release",
	Retry:    "retry",
	FailFast: "failFast",
	Abort:    "abort",
}

var classes = []string{
	Success:        "success",
	Failure:        "failure",
	TimeLimit:      "timeLimit",
	OutOfMemory:    "outOfMemory",
	NotRun:         "notRun",
	BadOutput:      "badOutput",
	Panicked:       "panicked",
	Killed:         "killed",
	Infrastructure: "infrastructure",
	Poison:         "poison",
	Interrupted:    "interrupted",
}

// String returns the kind's text, such as "notStarted".
func (k Kind) String() string { return text(kinds, k, "Kind") }

// MarshalText returns the kind's text. A kind that is none is an error.
func (k Kind) MarshalText() ([]byte, error) { return marshal(kinds, k, "kind") }

// UnmarshalText accepts what MarshalText returns and nothing else.
func (k *Kind) UnmarshalText(b []byte) error { return unmarshal(kinds, k, "kind", b) }

// String returns the decision's text, such as "failFast".
func (d Decision) String() string { return text(decisions, d, "Decision") }

// MarshalText returns the decision's text. A decision that is none is an error.
func (d Decision) MarshalText() ([]byte, error) { return marshal(decisions, d, "decision") }

// UnmarshalText accepts what MarshalText returns and nothing else.
func (d *Decision) UnmarshalText(b []byte) error { return unmarshal(decisions, d, "decision", b) }

// String returns the class's text, such as "outOfMemory".
func (c Class) String() string { return text(classes, c, "Class") }

// MarshalText returns the class's text. A class that is none is an error.
func (c Class) MarshalText() ([]byte, error) { return marshal(classes, c, "class") }

// UnmarshalText accepts what MarshalText returns and nothing else.
func (c *Class) UnmarshalText(b []byte) error { return unmarshal(classes, c, "class", b) }

func known[T ~uint8](texts []string, v T) bool { return int(v) < len(texts) && texts[v] != "" }

func text[T ~uint8](texts []string, v T, name string) string {
	if !known(texts, v) {
		return name + "(" + strconv.Itoa(int(v)) + ")"
	}
	return texts[v]
}

func marshal[T ~uint8](texts []string, v T, what string) ([]byte, error) {
	if !known(texts, v) {
		return nil, fmt.Errorf("statelog: there is no %s %d", what, v)
	}
	return []byte(texts[v]), nil
}

func unmarshal[T ~uint8](texts []string, v *T, what string, b []byte) error {
	i := slices.Index(texts, string(b))
	if i < 0 || len(b) == 0 {
		return fmt.Errorf("statelog: there is no %s %q", what, b)
	}
	*v = T(i)
	return nil
}
