package fork

import (
	"fmt"
	"strings"
)

// A CommandError says why a command could not be executed: it was not found, it
// is not a program, or its working directory is missing. The attempt fails, and
// is retried if its task allows that, because file systems come and go.
type CommandError struct {
	// Command is the first word of the command.
	Command string
	// Path is the PATH of the command that it was looked up in. "": the command
	// contains a slash and was not looked up.
	Path string
	// WorkDir is the working directory. "": that of this process.
	WorkDir string
	// Text says more, for people. It may be empty.
	Text string
	// Err is the cause, such as [exec.ErrNotFound] or a [syscall.Errno].
	Err error
}

// Error has everything in one line.
func (e *CommandError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "fork: command %q: ", e.Command)
	if e.Text != "" {
		b.WriteString(e.Text)
		b.WriteString(": ")
	}
	b.WriteString(e.Err.Error())
	switch {
	case !strings.Contains(e.Command, "/"):
		fmt.Fprintf(&b, " (PATH=%s)", e.Path)
	case e.WorkDir != "":
		fmt.Fprintf(&b, " (in %s)", e.WorkDir)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// A LimitError says that a limit cannot be enforced, under [LimitsRequired].
type LimitError struct {
	// Resource is the limit, or "processes" for control groups as such.
	Resource string
	// Err says what is missing.
	Err error
}

// Error has what to do about it, too.
func (e *LimitError) Error() string {
	return fmt.Sprintf("fork: limits are required, and %s cannot be limited: %v; have this"+
		" process started in control groups that it may write to (with systemd, Delegate=yes"+
		" and DelegateSubgroup=engine), or set Config.Limits to what is possible",
		e.Resource, e.Err)
}

// Unwrap returns what is missing.
func (e *LimitError) Unwrap() error { return e.Err }
