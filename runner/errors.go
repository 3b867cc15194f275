package runner

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// Conditions of a run and of what is asked of it.
var (
	// ErrNoTask: there is no task or instance of that name.
	ErrNoTask = errors.New("runner: no task or instance")
	// ErrOver: the run is over, so it cannot be done any more.
	ErrOver = errors.New("runner: the run is over")
	// ErrNothing: the command would change nothing.
	ErrNothing = errors.New("runner: there is nothing to do it to")
	// ErrDefinitionChanged: there is a run of that ID, of another definition.
	ErrDefinitionChanged = errors.New("runner: the run has another definition")
	// ErrStillRunning: an executor did not return in time when the run ended.
	// Its attempt stays open in the log, and what it does goes on unseen.
	ErrStillRunning = errors.New("runner: still running")
	// ErrInterrupted: the run was interrupted, and can be resumed.
	ErrInterrupted = errors.New("runner: interrupted")
	// ErrAborted: the run was aborted.
	ErrAborted = errors.New("runner: aborted")
)

// maxErrors bounds the errors in one error.
const maxErrors = 100

// Class says whose fault a failure was.
type Class = statelog.Class

// A RunError says why a run did not complete. It wraps a [*TaskError] for each
// instance that failed by itself, at most 100 of them, and [ErrInterrupted],
// [ErrAborted] or [ErrStillRunning] where they hold.
type RunError struct {
	Run   string
	State RunState
	// Failed is how many instances failed by themselves.
	Failed int
	Err    error
}

func (e *RunError) Error() string {
	return fmt.Sprintf("run %s %s: %v", e.Run, e.State, e.Err)
}

// Unwrap returns the reasons.
func (e *RunError) Unwrap() error { return e.Err }

// A TaskError is the failure of one instance of a task, in its last attempt.
type TaskError struct {
	// Task and Instance are names.
	Task, Instance string
	// Attempt is the number of the last attempt.
	Attempt int
	// Class says whose fault it was.
	Class Class
	// Result is the executor's, as far as it had one.
	Result executor.Result
	// Tail is the end of what it wrote to standard error, or to standard output
	// if that is all there is.
	Tail string
	Err  error
}

func (e *TaskError) Error() string {
	var b strings.Builder
	reason, _, _ := strings.Cut(fmt.Sprint(e.Err), "\n") // a panic's has its stack below
	fmt.Fprintf(&b, "task %q, attempt %d: %s", e.Instance, e.Attempt, reason)
	if tail := strings.TrimSpace(e.Tail); tail != "" {
		if i := strings.LastIndexByte(tail, '\n'); i >= 0 {
			tail = tail[i+1:]
		}
		b.WriteString(": ")
		b.WriteString(printable(tail))
	}
	return b.String()
}

// printable replaces what could play tricks on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' {
			return r
		}
		return utf8.RuneError
	}, s)
}

// Unwrap returns the cause.
func (e *TaskError) Unwrap() error { return e.Err }
