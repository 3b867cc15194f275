// Command resume kills a pipeline half way, and goes on with it.
//
//	go run ./examples/resume
//
// It starts itself as a second process, the engine, which runs a pipeline of
// commands. When half of them have completed it kills that process with SIGKILL,
// which nothing can prepare for, and starts another one. That finds the run in its
// log, attaches to what is still running, and does the rest. It needs Linux, where
// commands outlive the program.
//
// What is shown at the end comes from the notes that the commands have made
// themselves, so that nobody need believe the library.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "resume:", err)
		os.Exit(1)
	}
}

// run is the program. Without arguments it is the demonstration.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		return demonstrate(ctx, os.Stdout)
	case len(args) == 2 && args[0] == "engine":
		return engine(ctx, args[1], os.Stdout)
	case len(args) >= 3 && args[0] == "task":
		return task(args[1], args[2], args[3:]...)
	}
	return errors.New("usage: go run ./examples/resume")
}

// halfWay is the task after which the engine is killed.
const halfWay = "merge"

func demonstrate(ctx context.Context, out io.Writer) error {
	if runtime.GOOS != "linux" {
		return errors.New("this needs Linux: elsewhere commands end with the program")
	}
	dir, err := os.MkdirTemp("", "resume-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system cleans up otherwise

	first, err := startEngine(ctx, dir)
	if err != nil {
		return err
	}
	if err := first.awaitEnd(halfWay); err != nil {
		return errors.Join(err, first.cmd.Wait())
	}
	killed := time.Now()
	if err := first.kill(); err != nil {
		return err
	}
	second, err := startEngine(ctx, dir)
	if err != nil {
		return err
	}
	took := time.Since(killed)
	if err := os.WriteFile(killedFile(notesFile(dir)), nil, 0o600); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, second.events); err != nil {
		return err
	}
	if err := second.cmd.Wait(); err != nil {
		return fmt.Errorf("the second engine: %w", err)
	}

	notes, err := readNotes(notesFile(dir))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nEngine 1, process %d, was killed with SIGKILL when %q had "+
		"completed.\nEngine 2, process %d, was started %s later, with the same log.\n\n%s\n",
		first.cmd.Process.Pid, halfWay, second.cmd.Process.Pid, took.Round(time.Millisecond),
		picture(notes, killed))
	if err != nil {
		return err
	}
	return verdict(out, notes)
}

// engineProcess is this program, started again.
type engineProcess struct {
	cmd    *exec.Cmd
	events *bufio.Reader
}

func startEngine(ctx context.Context, dir string) (*engineProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "engine", dir)
	cmd.Stderr = os.Stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &engineProcess{cmd, bufio.NewReader(events)}, cmd.Start()
}

// awaitEnd returns when the engine has said that a task ended.
func (p *engineProcess) awaitEnd(task string) error {
	for {
		line, err := p.events.ReadString('\n')
		if err != nil {
			return fmt.Errorf("the engine ended before %s: %w", task, err)
		}
		if line == task+"\n" {
			return nil
		}
	}
}

// kill ends the engine at once. That it did not end well is what was wanted.
func (p *engineProcess) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	if err := p.cmd.Wait(); err == nil {
		return errors.New("the engine ended before it could be killed")
	}
	return nil
}

func notesFile(dir string) string { return filepath.Join(dir, "notes") }

// killedFile is there when the first engine has been killed.
func killedFile(notes string) string { return notes + "-killed" }
