package crash_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// How the engine ended by itself.
const (
	exitCompleted = 0
	exitFailed    = 3
	exitDetached  = 4
)

const runID = "crash"

// up is what an engine prints when it has its log.
const up = "up\n"

// engine is a program that embeds the library: DIR HOW POINT. HOW is detached or
// attached, POINT where it kills itself, if anywhere.
func engine(args []string) (int, error) {
	ctx, dir := context.Background(), args[0]
	log, err := filelog.Open(ctx, filepath.Join(dir, "log"), filelog.Config{})
	if err != nil {
		return 0, err
	}
	if _, err := os.Stdout.WriteString(up); err != nil {
		return 0, err
	}
	at := parsePoint(args[2])
	r := &runner.Runner{
		Executor: fork.New(forkConfig(dir, args[1])),
		Pools: map[string]executor.Executor{"functions": inproc.New(inproc.Config{
			Funcs: inproc.Funcs{"murder": murder, "pause": pause},
		})},
		MaxRunning: 1, // function at a time, so that the intents of others wait
		Log:        &suicidal{Log: log, at: at},
		TempFail:   true,
		Lost:       runner.Backoff{Min: time.Millisecond, Max: 5 * time.Millisecond, Budget: -1},
		// Engines die in a row here, and no task is to blame, but for one.
		Poison: -1,
	}
	d := workflow(dir)
	if args[1] == poisoned {
		r.Poison, d = 3, poisonous(dir)
	}
	h, err := begin(ctx, r, d, dir)
	if err != nil {
		return 0, err
	}
	if at.kind == statelog.Detached {
		return exitDetached, errors.Join(h.Detach(ctx), log.Close())
	}
	report, err := h.Wait(ctx)
	if err := errors.Join(report.Err(), log.Close()); err != nil {
		return 0, err
	}
	switch report.State {
	case runner.RunCompleted:
		return exitCompleted, nil
	case runner.RunFailed:
		return exitFailed, say(report)
	default:
		return 0, fmt.Errorf("the run is %s: %w", report.State, err)
	}
}

// begin goes on with the run. When it has been mended, what failed runs again.
func begin(
	ctx context.Context, r *runner.Runner, d *dag.DAG, dir string,
) (h *runner.Handle, err error) {
	err = runner.ErrNothing
	if _, statErr := os.Stat(filepath.Join(dir, "mended")); statErr == nil {
		h, err = r.Retry(ctx, runID)
	}
	if errors.Is(err, runner.ErrNothing) {
		h, err = r.Ensure(ctx, runID, d)
	}
	if err != nil {
		return nil, err
	}
	// A user who cannot make up their mind, for the records of that.
	err = h.Hold(ctx, "last")
	if err == nil {
		err = h.Release(ctx, "last")
	}
	if err == nil || errors.Is(err, runner.ErrNothing) {
		err = h.Pause(ctx) // takes intents back
	}
	if err == nil {
		err = h.Continue(ctx)
	}
	if errors.Is(err, runner.ErrOver) {
		err = nil
	}
	return h, err
}

// say prints what failed, and why.
func say(report *runner.Report) error {
	for t := range report.Tasks() {
		if t.State == runner.Completed {
			continue
		}
		if _, err := fmt.Fprintln(os.Stdout, t.Name, t.State, t.Class); err != nil {
			return err
		}
	}
	return nil
}

func forkConfig(dir, how string) fork.Config {
	c := fork.Config{Capacity: capacity.Resources{dag.Cores: 6}}
	if how != attached {
		c.Dir = filepath.Join(dir, "processes")
	}
	return c
}

// Ways in which processes are run.
const (
	detached = "detached" // they outlive the engine
	attached = "attached"
	poisoned = "poisoned" // detached, with a task that kills its engine
)

// A point is before or after the append of the first record of a kind.
type point struct {
	after bool
	kind  statelog.Kind
}

func (p point) String() string {
	if p.after {
		return "after " + p.kind.String()
	}
	return "before " + p.kind.String()
}

// parsePoint returns the zero point if there is none.
func parsePoint(s string) point {
	i := slices.IndexFunc(points(), func(p point) bool { return p.String() == s })
	if i < 0 {
		return point{}
	}
	return points()[i]
}

// points are all of them.
func points() []point {
	var all []point
	for k := statelog.Opened; ; k++ {
		if _, err := k.MarshalText(); err != nil {
			return all // there are no more kinds
		}
		all = append(all, point{false, k}, point{true, k})
	}
}

// suicidal is a log that kills its process at a point.
type suicidal struct {
	*filelog.Log
	at point
}

func (l *suicidal) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	here := slices.ContainsFunc(recs, func(r statelog.Record) bool { return r.Kind == l.at.kind })
	if here && !l.at.after {
		die()
	}
	seq, err := l.Log.Append(ctx, run, after, recs)
	if here && l.at.after {
		die()
	}
	return seq, err
}

// die ends the process as a power switch would.
func die() {
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}
