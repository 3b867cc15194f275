package statelog

import (
	"errors"
	"fmt"
)

// Conditions of a log.
var (
	// ErrNoRun: the log has no such run.
	ErrNoRun = errors.New("statelog: no such run")
	// ErrFenced: another engine has gone on with the run.
	ErrFenced = errors.New("statelog: another engine has gone on with the run")
	// ErrAmbiguous: it is not known whether the records were added.
	ErrAmbiguous = errors.New("statelog: it is not known whether the records were added")
	// ErrActive: another engine is at work on the run.
	ErrActive = errors.New("statelog: another engine is at work on the run")
	// ErrLogRewound: the log has lost records that were durable, as a server may
	// that was restored or failed over. What it says of the run is not true.
	ErrLogRewound = errors.New("statelog: the log has lost records that were durable")
)

// A CorruptError says where a log is damaged. Nothing of the run is used.
type CorruptError struct {
	// Path is a file, or what else holds the records. Offset is where in it the
	// damage begins, in bytes. Negative: not known.
	Path   string
	Offset int64
	// Seq is the number of the first record that cannot be read. 0: not known.
	Seq uint64
	Err error
}

func (e *CorruptError) Error() string {
	at := ""
	if e.Offset >= 0 {
		at = fmt.Sprintf(" at byte %d", e.Offset)
	}
	if e.Seq > 0 {
		at += fmt.Sprintf(", record %d", e.Seq)
	}
	return fmt.Sprintf("statelog: %s is damaged%s: %v", e.Path, at, e.Err)
}

// Unwrap returns the cause.
func (e *CorruptError) Unwrap() error { return e.Err }
