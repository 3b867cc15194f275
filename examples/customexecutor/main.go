// Command customexecutor runs tasks on an executor of its own.
//
// farm.go is a toy service with a queue and machines that break; executor.go,
// the part to copy, makes an executor of it; this file gives it to a Runner as
// the pool "farm", beside local processes in the default pool. The frames of a
// film are drawn on the farm, and put together here.
//
// The queue is shorter than the film is long, and the third order breaks its
// machine. Neither shows in the result: what could not be queued is tried again
// later, what was lost is run again.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

const frames = 6

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "film-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system cleans up otherwise

	farm := NewFarm(FarmConfig{
		Programs: map[string]Program{"draw": draw},
		Machines: 2,
		Queue:    2,
		Breaks:   func(n int) bool { return n == 3 },
	})
	defer farm.Close()

	r := runner.Runner{
		Pools: map[string]executor.Executor{"farm": &Executor{Farm: farm, Grace: time.Second}},
		Lost:  runner.Backoff{Min: 10 * time.Millisecond},
	}
	report, err := r.Run(ctx, film(dir))
	if err != nil {
		return err
	}
	attempts := 0
	for t := range report.Tasks() {
		if t.Task == "draw" {
			attempts += t.Attempts
		}
	}
	last, _ := report.Task("film")
	text, _ := last.Stdout()
	_, err = fmt.Fprintf(out, "%s%d frames, drawn in %d attempts\n", text, frames, attempts)
	return err
}

// film is a DAG that draws all frames and joins them.
func film(dir string) *dag.DAG {
	var numbers []string
	join := []string{"cat"}
	for n := range frames {
		number := strconv.Itoa(n)
		numbers = append(numbers, number)
		join = append(join, filepath.Join(dir, "frame-"+number))
	}
	return &dag.DAG{
		Parameters: dag.Parameters{"FRAME": dag.List(numbers...)},
		Tasks: []dag.Task{
			{
				Name: "draw",
				Job:  dag.Command("draw", filepath.Join(dir, "frame-{{FRAME}}"), "{{FRAME}}"),
				Pool: "farm",
			},
			{Name: "film", Job: dag.Command(join...), Parents: []string{"draw"}},
		},
	}
}

// draw is a program of the farm: a ball, further to the right in each frame.
func draw(ctx context.Context, p *Process) int {
	select {
	case <-ctx.Done():
		return 1
	case <-p.PowerOff:
		return 1
	default:
	}
	n, err := strconv.Atoi(p.Args[1])
	if err == nil {
		line := strings.Repeat(" ", 2*n) + "o\n"
		err = os.WriteFile(p.Args[0], []byte(line), 0o600)
	}
	if err != nil {
		_, _ = fmt.Fprintln(p.Stderr, err) // the exit code tells as well
		return 1
	}
	return 0
}
