package progress_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

// refresh is the time between two drawings of a live block.
const refresh = 100 * time.Millisecond

// script is what tasks do, by their names.
type script = map[string]sim.Behaviour

// lasting succeeds after some time.
func lasting(d time.Duration) sim.Behaviour { return sim.Behaviour{Duration: d} }

// failing fails after some time.
func failing(d time.Duration, message string) sim.Behaviour {
	return sim.Behaviour{Duration: d, ExitCode: 3, Message: message}
}

func task(name string) dag.Task {
	return dag.Task{Name: name, Job: dag.Command("work", name)}
}

func tasks(names ...string) *dag.DAG {
	d := new(dag.DAG)
	for _, name := range names {
		d.Tasks = append(d.Tasks, task(name))
	}
	return d
}

// observed is a Runner whose runs a Display shows.
func observed(display *progress.Display, s script) *runner.Runner {
	return &runner.Runner{
		Executor:  sim.New(sim.Config{Script: s}),
		Observers: []runner.Observer{display.Observer()},
	}
}

func start(t *testing.T, r *runner.Runner, d *dag.DAG) *runner.Handle {
	t.Helper()
	h, err := r.Start(t.Context(), d)
	require.NoError(t, err)
	return h
}

// finish waits until the run is over and has been shown.
func finish(t *testing.T, display *progress.Display, h *runner.Handle) {
	t.Helper()
	_, _ = h.Wait(context.Background())
	require.NoError(t, display.Wait(context.Background()))
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// A page is a file that lines are written to.
type page struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

// lines returns what was written since the last call.
func (p *page) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.text.String()
	p.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
