package executortest

import (
	"context"
	"encoding/hex"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"github.com/daggy-go/daggy/dag"
)

// marker is the first argument of a test binary that is to play a job.
const marker = "executortest-play"

// Main plays a job and ends the process, if this process was started by one of
// the jobs of [Processes]. Otherwise it does nothing. Call it first in TestMain.
func Main() {
	if len(os.Args) < 2 || os.Args[1] != marker {
		return
	}
	// Not stopped: after the first signal the job goes on to ignore others.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Not os.Exit: when coverage is measured, that prints a warning of its own.
	syscall.Exit(Play(ctx, Process{
		Args:        os.Args[2:],
		Environment: os.Environ(),
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		Spawn:       spawn,
	}))
}

// spawn starts a process that shares the outputs of this one.
func spawn(args ...string) error {
	command := exec.Command(os.Args[0], append([]string{marker}, args...)...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Start(); err != nil {
		return err
	}
	return command.Process.Release()
}

// Processes are jobs for an executor that runs commands on this machine. Each
// runs the test binary, whose TestMain must call [Main].
func Processes() Jobs {
	binary, err := os.Executable()
	if err != nil {
		binary = os.Args[0]
	}
	jobs := Commands(binary, marker)
	jobs.Panic = nil
	jobs.Missing = func() dag.Job { return dag.Command("executortest-no-such-command", "word") }
	return jobs
}

// Functions are jobs for an executor that calls Go functions: the words of the
// command are name, under which a function calls [Play], and the words that
// Play gets. There is no Stubborn, Tree and Orphan.
func Functions(name string) Jobs {
	jobs := Commands(name)
	jobs.Stubborn, jobs.Tree, jobs.Orphan = nil, nil, nil
	return jobs
}

// Commands are jobs of which each is the given words followed by the words that
// [Play] gets. Missing is the first of the words with something appended.
func Commands(words ...string) Jobs {
	play := func(more ...string) dag.Job { return dag.Command(slices.Concat(words, more)...) }
	one := func(word string) func() dag.Job { return func() dag.Job { return play(word) } }
	hold := func(word string) func(string) dag.Job {
		return func(address string) dag.Job { return play(word, address) }
	}
	return Jobs{
		Exit: func(code int) dag.Job { return play("exit", strconv.Itoa(code)) },
		Print: func(stdout, stderr []byte) dag.Job {
			return play("print", hex.EncodeToString(stdout), hex.EncodeToString(stderr))
		},
		Arguments: func(words ...string) dag.Job {
			return play(append([]string{"arguments"}, words...)...)
		},
		Environment: one("environment"),
		Flood: func(size int64) dag.Job {
			return play("flood", strconv.FormatInt(size, 10))
		},
		Wait:     hold("wait"),
		Stubborn: hold("stubborn"),
		Tree:     hold("tree"),
		Orphan:   hold("orphan"),
		Panic:    one("panic"),
		Missing:  func() dag.Job { return dag.Command(words[0] + "-no-such-command") },
	}
}
