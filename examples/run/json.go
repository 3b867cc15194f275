package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"

	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// writeJSON prints the report as one object, a line for each instance.
func writeJSON(w io.Writer, r *runner.Report) error {
	p := printer{w: bufio.NewWriter(w)}
	p.print("{\"run\":%s,\"state\":%s,\"tasks\":{", text(r.Run), text(r.State))
	separator := "\n"
	for t := range r.Tasks() {
		p.print("%s%s:{", separator, text(t.Name))
		p.task(&t)
		p.print("}")
		separator = ",\n"
	}
	p.print("}}\n")
	return p.done(r)
}

// task prints the members of an instance.
func (p *printer) task(t *runner.TaskReport) {
	var exitCode, start, end any // null unless there is one
	if !t.Start.IsZero() {
		start = t.Start.UTC()
	}
	if !t.End.IsZero() {
		end = t.End.UTC()
		if exited(t) {
			exitCode = t.Result.ExitCode
		}
	}
	p.print("\"state\":%s,\"attempts\":%d,\"exitCode\":%s,\"start\":%s,\"end\":%s",
		text(t.State), t.Attempts, text(exitCode), text(start), text(end))
	stdout, dropped := t.Stdout()
	p.output("stdout", stdout, dropped)
	stderr, dropped := t.Stderr()
	p.output("stderr", stderr, dropped)
	p.print(",\"reason\":%s", text(reason(t)))
}

// output prints what was captured, a piece at a time: it may be 64 MiB, and
// several times that in JSON.
func (p *printer) output(name string, data []byte, dropped int64) {
	p.print(",%q:\"", name)
	for len(data) > 0 {
		n := min(len(data), 32<<10)
		for i := 0; i < utf8.UTFMax && n < len(data) && !utf8.RuneStart(data[n]); i++ {
			n-- // do not cut a character in two
		}
		piece := text(string(data[:n]))
		p.print("%s", piece[1:len(piece)-1])
		data = data[n:]
	}
	p.print("\"")
	if dropped > 0 {
		p.print(",%q:%d", name+"Dropped", dropped)
	}
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
