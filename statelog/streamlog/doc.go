// Package streamlog writes the records of runs to an io.Writer, one line of JSON
// each, beside another log that keeps them.
//
//	log := streamlog.New(os.Stderr, nil)
//	r := runner.Runner{Log: log}
//
// A line is a record, in the form of
// [github.com/daggy-go/daggy/statelog.Record.AppendJSON], with the run's ID as
// its first member:
//
//	{"run":"r1","seq":7,"kind":"done","time":"2026-03-01T12:30:01.5Z","task":1,"attempt":1}
//
// The records of one Append are written by one Write and in order, and those of
// different runs are never mixed within a line or a batch. [Decode] reads such a
// stream back.
//
// # What is written and when
//
// The other log, the inner one, comes first: a batch is written to the stream
// only when the inner log has it. So whatever the stream says has happened; it
// never has records of an engine that was fenced, or of an Append that failed.
// Reads are answered by the inner log, and what is durable is what the inner log
// makes durable.
//
// If a Write then fails, the inner log has records that the stream may lack or
// has half of, and no Write may follow, since it would go on in the middle of a
// line. That Append fails with [github.com/daggy-go/daggy/statelog.ErrAmbiguous],
// which makes the engine read back what there is. From then on every Append, of
// all runs, is refused with [ErrBroken] and adds nothing: a run ends as
// interrupted, and can be resumed from the inner log with another stream.
//
// Two logs must not share a writer, unless each of its Writes is whole by itself.
package streamlog
