//go:build linux

// Command remote runs a pipeline on three machines and loses one of them half way.
//
//	go run ./examples/remote
//
// The machines are processes of this program, each with a runner daemon in it that has
// two cores to offer; on a real cluster each would be a machine with agentd. Half way, one
// daemon is killed with SIGKILL. What it ran goes on until its lease is over and is
// ended then, counts as lost, and runs again on the others, without touching the
// retries of any task. It needs Linux, where commands outlive a daemon.
//
// That nothing ran twice at once, and everything to its end, is told by notes that the
// commands make themselves, so that nobody need believe the library.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/runner"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "remote:", err)
		os.Exit(1)
	}
}

// run is the program. Without arguments it is the demonstration.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		return demonstrate(ctx, os.Stdout)
	case len(args) == 4 && args[0] == "daemon":
		return daemon(ctx, args[1], args[2], args[3])
	case len(args) == 4 && args[0] == "task":
		return task(args[1], args[2], args[3])
	}
	return errors.New("usage: go run ./examples/remote")
}

// The lease is short, so that there is something to see soon: a minute is the default.
const (
	lease  = time.Second
	margin = 500 * time.Millisecond
)

func demonstrate(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "remote-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system cleans up otherwise
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("submit "+rand.Text()+"\n"), 0o600); err != nil {
		return err
	}

	var machines []*machine
	defer func() {
		for _, m := range machines {
			err = errors.Join(err, m.shutdown())
		}
	}()
	config := remote.Config{OnUnreachable: remote.Replace, Lease: lease, Margin: margin}
	for _, name := range []string{"north", "south", "west"} {
		m, err := startMachine(ctx, dir, name, token)
		if err != nil {
			return err
		}
		machines = append(machines, m)
		config.Nodes = append(config.Nodes, remote.Node{
			Name: name, URL: "http://" + m.address, TokenFile: token,
		})
	}
	ex, err := remote.New(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ex.Close()) }()
	story, err := runPipeline(ctx, ex, pipeline(dir), machines[0])
	if err != nil {
		return err
	}
	return tell(out, story, machines, dir)
}

// pipeline pulls eight parts, cleans each of them, and reports.
func pipeline(dir string) *dag.DAG {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	command := func(name, takes string) dag.Job {
		return dag.Command(self, "task", dir, name, takes)
	}
	return &dag.DAG{
		Parameters: dag.Parameters{"PART": dag.List("1", "2", "3", "4", "5", "6", "7", "8")},
		Tasks: []dag.Task{
			{Name: "pull", Job: command("pull_{{PART}}", "600ms")},
			{Name: "clean", Job: command("clean_{{PART}}", "3s"), Parents: []string{"pull"}},
			{Name: "merge", Job: command("merge", "300ms"), Parents: []string{"clean"}},
			{Name: "report", Job: command("report", "300ms"), Parents: []string{"merge"}},
		},
	}
}

// A story is what happened to each attempt, and to the machine that was killed.
type story struct {
	nodes  map[attempt]string
	ended  []runner.Event // attempts, in order
	killed time.Time
	report *runner.Report
}

type attempt struct {
	instance string
	number   int
}

// runPipeline runs d, and kills a machine when something runs there that is to be lost.
func runPipeline(
	ctx context.Context, ex *remote.Executor, d *dag.DAG, victim *machine,
) (*story, error) {
	s := &story{nodes: map[attempt]string{}}
	half := make(chan struct{})
	completed, begun := 0, false
	r := &runner.Runner{
		Executor: ex,
		Lost:     runner.Backoff{Min: 50 * time.Millisecond},
		Observers: []runner.Observer{{
			AttemptStarting: func(_ *runner.Handle, ev runner.Event) {
				s.nodes[attempt{ev.Instance, ev.Attempt}] = ev.Node
			},
			AttemptStarted: func(_ *runner.Handle, ev runner.Event) {
				if !begun && completed >= 8 && ev.Node == victim.name {
					begun = true
					close(half)
				}
			},
			AttemptEnded: func(_ *runner.Handle, ev runner.Event) {
				completed++
				s.ended = append(s.ended, ev)
			},
		}},
	}
	h, err := r.Start(ctx, d)
	if err != nil {
		return nil, err
	}
	select {
	case <-half:
		err = victim.kill()
		s.killed = time.Now()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	report, runErr := h.Wait(context.WithoutCancel(ctx))
	s.report = report
	return s, errors.Join(err, runErr)
}
