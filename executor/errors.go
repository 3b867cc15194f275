package executor

import (
	"errors"
	"fmt"
	"time"
)

// Causes with which the engine ends the context of an attempt. Get them with
// [context.Cause].
var (
	// ErrDetach asks a durable executor to leave the work alone and return.
	ErrDetach = errors.New("executor: detach")
	// ErrTimeLimit says that the attempt ran longer than its job allows.
	ErrTimeLimit = errors.New("executor: time limit")
)

// A LostError is a promise that nothing runs under the attempt's key and
// nothing ever will, through no fault of the task: its machine died, for
// example. The task is tried again without touching its retries. A time-out
// alone never justifies a LostError.
type LostError struct{ Err error }

func (e *LostError) Error() string { return fmt.Sprintf("lost: %v", e.Err) }

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// A NotStartedError says that certainly nothing was started, for want of
// something that comes back: descriptors, processes, room in a queue. The same
// key is tried again after a pause and no budget is used.
type NotStartedError struct {
	// RetryAfter is how long to wait at least. 0: the engine chooses.
	RetryAfter time.Duration
	Err        error
}

func (e *NotStartedError) Error() string { return fmt.Sprintf("not started: %v", e.Err) }

// Unwrap returns the cause.
func (e *NotStartedError) Unwrap() error { return e.Err }

// Permanent marks err so that the task is not retried, whatever its retries
// allow. Permanent(nil) is nil. Find the mark with [IsPermanent].
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err or anything that it wraps was marked by
// [Permanent].
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }
