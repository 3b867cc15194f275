package fork

import (
	"errors"
	"os/exec"
	"syscall"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// failure makes of an error what can be sent and kept.
func failure(err error) *wire.Failure {
	f := &wire.Failure{Permanent: executor.IsPermanent(err)}
	cause := err
	if e, ok := errors.AsType[*executor.NotStartedError](err); ok {
		f.Class, f.RetryAfter, cause = wire.NotStarted, e.RetryAfter, e.Err
	}
	if e, ok := errors.AsType[*executor.LostError](err); ok {
		f.Class, cause = wire.Lost, e.Err
	}
	if e, ok := errors.AsType[*CommandError](err); ok {
		f.Command, f.Path = clip(e.Command), clip(e.Path)
		f.WorkDir, f.About = clip(e.WorkDir), clip(e.Text)
		cause = e.Err
	}
	f.Text = clip(cause.Error())
	if errno, ok := errors.AsType[syscall.Errno](cause); ok {
		f.Errno = uint32(errno)
	}
	switch {
	case errors.Is(cause, exec.ErrNotFound):
		f.Known = wire.NotFound
	case errors.Is(cause, executor.ErrTimeLimit):
		f.Known = wire.TimeLimit
	}
	return f
}

// clip bounds a text, as a user may have made the longest that the system takes.
func clip(text string) string {
	const most = 32 << 10
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// restore is the opposite of failure. Programs find in the error what they would
// find in the original.
func restore(f *wire.Failure) error {
	var err error = &sentError{f.Text, known(f)}
	if f.Command != "" {
		err = &CommandError{
			Command: f.Command, Path: f.Path, WorkDir: f.WorkDir, Text: f.About, Err: err,
		}
	}
	switch f.Class {
	case wire.NotStarted:
		err = &executor.NotStartedError{RetryAfter: f.RetryAfter, Err: err}
	case wire.Lost, wire.Closed:
		err = &executor.LostError{Err: err}
	default: // any error
	}
	if f.Permanent {
		err = executor.Permanent(err)
	}
	return err
}

func known(f *wire.Failure) error {
	switch {
	case f.Known == wire.NotFound:
		return exec.ErrNotFound
	case f.Known == wire.TimeLimit:
		return executor.ErrTimeLimit
	case f.Errno != 0:
		return syscall.Errno(f.Errno)
	}
	return nil
}

// sentError is an error of another process: what it said, and what it was.
type sentError struct {
	text  string
	cause error // nil: nothing that programs ask for
}

func (e *sentError) Error() string { return e.text }

func (e *sentError) Unwrap() error { return e.cause }
