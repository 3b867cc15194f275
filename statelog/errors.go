package statelog

import "errors"

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
)
