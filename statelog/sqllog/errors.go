package sqllog

import (
	"errors"
	"fmt"
)

// A VersionError says that something was written by a newer version of this
// library than this one.
type VersionError struct {
	What           string
	Version, Known int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has version %d, this library knows versions up to %d",
		e.What, e.Version, e.Known)
}

// refused reports whether the server itself said that it did not do what it was
// asked. A server that is going down says so whether it has committed or not.
func refused(err error) bool {
	state, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err)
	if !ok {
		return false
	}
	code := state.SQLState()
	if len(code) != 5 || code == "40003" {
		return false // 40003: it does not know whether the statement completed
	}
	switch code[:2] {
	case "08", "57", "58", "XX", "F0":
		// The connection, an operator, the system, a fault inside. Of an
		// operator's doings, to cancel the statement is definite.
		return code == "57014"
	}
	return true
}
