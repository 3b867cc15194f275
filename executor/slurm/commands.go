package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/daggy-go/daggy/internal/invocation"
)

// Commands runs one of Slurm's commands to its end, with this standard input:
// argv begins with its name, such as "squeue". The answer of a command that ran
// is not an error, whatever its exit code. A command that is still running when
// ctx ends is killed; that it may have done its work all the same is expected.
// It is called by several goroutines at once.
//
// What runs the commands elsewhere, through ssh for example, sees to it that their
// environment is small: jobs inherit that of sbatch (see the package comment), and
// variables such as SQUEUE_STATES hide jobs.
type Commands func(ctx context.Context, argv []string, stdin string) (Answer, error)

// An Answer is what a command said.
type Answer struct {
	Stdout, Stderr []byte
	Exit           int
}

// timeout is how long a command may take. The commands themselves wait for a
// controller that is down for 10 seconds, and for a missing configuration for 60.
const timeout = 90 * time.Second

// local runs the commands on this machine, with the environment given.
func local(environ []string) Commands {
	return func(ctx context.Context, argv []string, stdin string) (Answer, error) {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = environ
		cmd.Stdin = strings.NewReader(stdin)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.WaitDelay = time.Second
		err := cmd.Run()
		a := Answer{stdout.Bytes(), stderr.Bytes(), cmd.ProcessState.ExitCode()}
		if _, ran := errors.AsType[*exec.ExitError](err); ran && ctx.Err() == nil {
			return a, nil
		}
		return a, err
	}
}

// commandEnviron is the environment of the commands, and so of every job: what
// Slurm itself goes by, and who and where the user is. Others that the commands
// know would be in the way: SBATCH_WAIT, for example, or SQUEUE_STATES, with which
// jobs seem to have gone.
func commandEnviron(environ []string) []string {
	return invocation.Inherit([]string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ",
		"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT", "SBATCH_ACCOUNT", "SBATCH_PARTITION",
		"SBATCH_QOS", "SBATCH_CONSTRAINT", "SBATCH_RESERVATION", "SBATCH_WCKEY",
	}, environ)
}

// ask runs a command with the time limit that they all have.
func (e *Executor) ask(ctx context.Context, stdin string, argv ...string) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout,
		fmt.Errorf("it took more than %v", timeout))
	defer cancel()
	a, err := e.commands(ctx, argv, stdin)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return a, err
}

// missingCommands names those of Slurm's commands that are not there.
func missingCommands() error {
	var missing []string
	for _, name := range []string{"sbatch", "squeue", "scancel", "scontrol"} {
		if _, err := exec.LookPath(name); err != nil {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("slurm: there is no %s in PATH=%s: this machine has to be one that can"+
		" submit jobs", strings.Join(missing, ", "), os.Getenv("PATH"))
}

// severalClusters refuses to have commands talk with more than one cluster: scancel
// would cancel whatever job has the number on each of them.
func severalClusters() error {
	const name = "SLURM_CLUSTERS"
	if v := os.Getenv(name); strings.Contains(v, ",") || v == "all" {
		return fmt.Errorf("slurm: %s=%s names several clusters: name the one that is to have the"+
			" jobs", name, v)
	}
	return nil
}
