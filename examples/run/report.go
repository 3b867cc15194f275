package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// draw prints the graph of the definition.
func draw(w io.Writer, d *dag.DAG, language string) error {
	if language == "dot" {
		return d.DOT(w, dag.Drawing{})
	}
	return d.Mermaid(w, dag.Drawing{})
}

// writeText prints a line for each instance.
func writeText(w io.Writer, r *runner.Report) error {
	p := printer{w: bufio.NewWriter(w)}
	p.print("%-9s  %8s  %9s  %s\n", "state", "attempts", "time", "task")
	for t := range r.Tasks() {
		took := ""
		if !t.Start.IsZero() && !t.End.IsZero() {
			took = t.End.Sub(t.Start).Round(100 * time.Microsecond).String()
		}
		name := t.Name
		if why := reason(&t); why != "" {
			name += ": " + firstLine(why)
		}
		p.print("%-9s  %8d  %9s  %s\n", t.State, t.Attempts, took, name)
	}
	p.print("run %s %s: %s\n", r.Run, r.State, counts(r))
	return p.done(r)
}

// printer keeps the first error. It writes as it is told, for a report may be
// larger than the memory.
type printer struct {
	w   *bufio.Writer
	err error
}

func (p *printer) print(format string, values ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, values...)
	}
}

// done says whether all of the report was known and written.
func (p *printer) done(r *runner.Report) error {
	if p.err == nil {
		p.err = p.w.Flush()
	}
	return errors.Join(p.err, r.Err())
}

// counts says how many instances there are in each state.
func counts(r *runner.Report) string {
	var parts []string
	for _, s := range []runner.State{
		runner.Completed, runner.Failed, runner.Killed, runner.Skipped,
		runner.Running, runner.Queued, runner.Waiting,
	} {
		if n := r.Counts[s]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s))
		}
	}
	if parts == nil {
		return "no tasks"
	}
	return strings.Join(parts, ", ")
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// taskJSON is an instance in the report.
type taskJSON struct {
	State         runner.State `json:"state"`
	Attempts      int          `json:"attempts"`
	ExitCode      *int         `json:"exitCode"`
	Start         *time.Time   `json:"start"`
	End           *time.Time   `json:"end"`
	Stdout        string       `json:"stdout"`
	Stderr        string       `json:"stderr"`
	Reason        string       `json:"reason"`
	StdoutDropped int64        `json:"stdoutDropped,omitempty"`
	StderrDropped int64        `json:"stderrDropped,omitempty"`
}

// writeJSON prints the report as one object, a line for each instance.
func writeJSON(w io.Writer, r *runner.Report) error {
	p := printer{w: bufio.NewWriter(w)}
	p.print("{\"run\":%s,\"state\":%s,\"tasks\":{", text(r.Run), text(r.State))
	separator := "\n"
	for t := range r.Tasks() {
		p.print("%s%s:%s", separator, text(t.Name), text(describe(&t)))
		separator = ",\n"
	}
	p.print("}}\n")
	return p.done(r)
}

func describe(t *runner.TaskReport) taskJSON {
	v := taskJSON{State: t.State, Attempts: t.Attempts, Reason: reason(t)}
	stdout, dropped := t.Stdout()
	v.Stdout, v.StdoutDropped = string(stdout), dropped
	stderr, dropped := t.Stderr()
	v.Stderr, v.StderrDropped = string(stderr), dropped
	if !t.Start.IsZero() {
		v.Start = new(t.Start.UTC())
	}
	if !t.End.IsZero() {
		v.End = new(t.End.UTC())
		if exited(t) {
			v.ExitCode = new(t.Result.ExitCode)
		}
	}
	return v
}

// exited reports whether the last attempt had a command that ran to an end.
func exited(t *runner.TaskReport) bool {
	switch t.Class {
	case statelog.Success, statelog.Failure, statelog.BadOutput:
		return true
	case statelog.TimeLimit, statelog.OutOfMemory, statelog.Killed, statelog.Interrupted:
		return !t.Result.OK()
	default: // it was never run, or nobody knows how it ended
		return false
	}
}

// reason says why an instance did not complete.
func reason(t *runner.TaskReport) string {
	if t.Reason == "" && !t.Result.OK() {
		return t.Result.String()
	}
	return t.Reason
}

// text returns v in JSON.
func text(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the output of commands is easier to read so
	if err := e.Encode(v); err != nil {
		panic(err) // strings, numbers and times of our own can be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
