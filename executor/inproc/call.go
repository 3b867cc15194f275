package inproc

import (
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/executor"
)

// A Call is what a function is called with. All of it is read-only and valid
// until the function returns: one that starts goroutines waits for them, as a
// command does for its children.
type Call struct {
	// Args are the words after the name of the function, as for
	// [flag.FlagSet.Parse]. The name itself is Attempt.Job.Command[0].
	Args []string
	// Env is the environment of the job, entries "KEY=value". The variables of
	// the program are not in it. See [Call.LookupEnv].
	Env []string
	// Stdout and Stderr take the output. Never nil. Each is safe for use by one
	// goroutine.
	Stdout, Stderr io.Writer
	// Attempt is what the executor was asked to run.
	Attempt *executor.Attempt
}

// LookupEnv returns the value of a variable of the job, and whether there is
// one. DAGGY_RUN, DAGGY_TASK, DAGGY_ATTEMPT and DAGGY_KEY are there, as they
// are for a command. Of entries with the same key the last one counts. The
// environment of the program is not consulted.
func (c *Call) LookupEnv(key string) (string, bool) {
	switch key {
	case "DAGGY_RUN":
		return c.Attempt.Run, true
	case "DAGGY_TASK":
		return c.Attempt.Instance, true
	case "DAGGY_ATTEMPT":
		return strconv.Itoa(c.Attempt.Number), true
	case "DAGGY_KEY":
		return c.Attempt.Key, true
	}
	for i := len(c.Env) - 1; i >= 0; i-- {
		if k, v, ok := strings.Cut(c.Env[i], "="); ok && k == key {
			return v, true
		}
	}
	return "", false
}

// Getenv returns the value of a variable of the job, or "" if there is none.
func (c *Call) Getenv(key string) string {
	v, _ := c.LookupEnv(key)
	return v
}

// Environ returns all variables that LookupEnv finds, entries "KEY=value". The
// slice is the caller's.
func (c *Call) Environ() []string { return c.Attempt.Environ() }

// Path resolves a file name against the working directory of the job, for a
// function has none of its own. An absolute name, or any name if the job has no
// working directory, is returned as it is.
func (c *Call) Path(name string) string {
	if c.Attempt.Job.WorkDir == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.Attempt.Job.WorkDir, name)
}

// An ExitError makes a function end with this exit code, as os.Exit does for a
// command: ExitError(3) is exit 3, and ExitError(0) success. It may be wrapped,
// which gives the result a better message.
type ExitError int

func (e ExitError) Error() string { return "exit " + strconv.Itoa(int(e)) }
