package progress_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
	"github.com/daggy-go/daggy/statelog"
)

// BenchmarkObserver is what a display costs runs of functions that do nothing:
// "none" is no observer, "empty" one that looks at nothing.
func BenchmarkObserver(b *testing.B) {
	const tasks = 200_000
	d := &dag.DAG{Tasks: make([]dag.Task, tasks)}
	for i := range d.Tasks {
		d.Tasks[i] = dag.Task{Name: fmt.Sprintf("task%07d", i), Job: dag.Command("noop")}
	}
	noop := func(context.Context, *inproc.Call) error { return nil }
	empty := func(*progress.Display) runner.Observer {
		return runner.Observer{Event: func(*runner.Handle, runner.Event) {}}
	}
	for _, bm := range []struct {
		name     string
		mode     progress.Mode
		observer func(*progress.Display) runner.Observer
	}{
		{"none", progress.Off, nil},
		{"empty", progress.Off, empty},
		{"lines", progress.Lines, (*progress.Display).Observer},
		{"live", progress.Live, (*progress.Display).Observer},
	} {
		b.Run("observer="+bm.name, func(b *testing.B) {
			display := progress.New(io.Discard, progress.Config{Mode: bm.mode})
			r := runner.Runner{Executor: inproc.New(inproc.Config{
				Funcs: inproc.Funcs{"noop": noop},
			})}
			if bm.observer != nil {
				r.Observers = []runner.Observer{bm.observer(display)}
			}
			b.ReportAllocs()
			start := time.Now()
			for b.Loop() {
				_, err := r.Run(b.Context(), d)
				require.NoError(b, err)
			}
			took := time.Since(start)
			require.NoError(b, display.Close())
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*tasks), "ns/task")
		})
	}
}

// BenchmarkEvents is the cost of the observer's functions for one attempt.
func BenchmarkEvents(b *testing.B) {
	display := progress.New(io.Discard, progress.Config{Mode: progress.Lines})
	var h *runner.Handle
	var r runner.Runner
	r.Executor = inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"wait": func(ctx context.Context, _ *inproc.Call) error {
			<-ctx.Done()
			return nil
		},
	}})
	r.Observers = []runner.Observer{display.Observer()}
	ctx, cancel := context.WithCancel(b.Context())
	h, err := r.Start(ctx, &dag.DAG{Tasks: []dag.Task{{Name: "w", Job: dag.Command("wait")}}})
	require.NoError(b, err)
	for ev, err := range h.Events(ctx, 0) { // until the display has been told
		require.NoError(b, err)
		if ev.Attempt == 1 {
			break
		}
	}
	o := display.Observer()
	names := make([]string, 1024)
	for i := range names {
		names[i] = fmt.Sprintf("some_task_%d", i)
	}
	now := time.Now()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		// Always half of them run.
		ended := runner.Event{Kind: statelog.Done, Instance: names[(i+512)%1024], Attempt: 1}
		o.AttemptEnded(h, ended)
		o.AttemptStarting(h, runner.Event{Instance: names[i%1024], Attempt: 1, Time: now})
	}
	cancel()
	_, _ = h.Wait(context.Background())
	require.NoError(b, display.Close())
}
