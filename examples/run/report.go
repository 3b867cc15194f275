package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
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
			name += ": " + line(why)
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

// line makes one line of a text that may hold anything: the output of a command
// is part of many reasons.
func line(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// reason says why an instance did not complete.
func reason(t *runner.TaskReport) string {
	if t.Reason == "" && !t.Result.OK() {
		return t.Result.String()
	}
	return t.Reason
}
