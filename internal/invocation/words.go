// Package invocation is what executors that run the commands of jobs as processes make
// of a job, so that all of them take the same jobs and give commands the same.
package invocation

import (
	"errors"
	"fmt"
	"strings"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/expand"
)

var errNone = errors.New("no command: it must begin with the name of a program")

// Words returns the argument vector of a job.
func Words(job dag.Job) ([]string, error) {
	argv := job.Command
	if len(argv) == 0 && strings.TrimSpace(job.CommandString) != "" {
		var err error
		if argv, err = expand.Split(job.CommandString); err != nil {
			return nil, fmt.Errorf("command %q: %w", job.CommandString, err)
		}
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, errNone
	}
	return argv, nil
}

// Check reports whether a job has [Words]. It splits no string that has words for
// certain, since there may be a million of them.
func Check(job dag.Job) error {
	const special = "'\"\\#"
	plain := strings.TrimSpace(job.CommandString) != "" &&
		!strings.ContainsAny(job.CommandString, special)
	if len(job.Command) == 0 && plain {
		return nil
	}
	_, err := Words(job)
	return err
}
