package sqllog_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// PostgreSQL is away for five seconds in the middle of a run. The run completes,
// and nothing of it runs twice.
func TestRunOutlastsServerThatIsAway(t *testing.T) {
	t.Parallel()
	const width, away = 300, 5 * time.Second
	pg := servertest.StartPostgres(t)
	log := newLog(t, pg.Open(t), sqllog.Config{Dialect: sqllog.Postgres})
	w := &work{times: make(map[string]int), half: make(chan struct{}), enough: width}
	r := runner.Runner{
		Executor:   inproc.New(inproc.Config{Funcs: inproc.Funcs{"work": w.do}}),
		Log:        log,
		MaxRunning: 8,
	}
	handle, err := r.Start(t.Context(), wide(width))
	require.NoError(t, err)
	<-w.half
	pg.Kill(t)
	timer := time.NewTimer(away)
	defer timer.Stop()
	<-timer.C
	pg.Start(t)

	report, err := handle.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	require.Len(t, w.times, 3*width)
	for name, times := range w.times {
		require.Equal(t, 1, times, "how often %s ran", name)
	}
	done := make(map[string]int)
	for _, rec := range read(t, log, handle.ID()) {
		if rec.Kind == statelog.Done {
			require.Equal(t, statelog.Success, rec.Class)
			done[fmt.Sprint(rec.Task, "/", rec.Instance)]++
		}
	}
	require.Len(t, done, 3*width)
	for name, times := range done {
		require.Equal(t, 1, times, "how often the log says that %s ended", name)
	}

	// Whoever asks for the run again gets its report and starts nothing.
	again, err := r.Resume(t.Context(), handle.ID())
	require.NoError(t, err)
	report, err = again.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	require.Len(t, w.times, 3*width)
}

// wide is a DAG of three steps of so many instances each.
func wide(width int) *dag.DAG {
	var numbers []string
	for i := range width {
		numbers = append(numbers, strconv.Itoa(i))
	}
	d := &dag.DAG{Parameters: dag.Parameters{"N": dag.List(numbers...)}}
	for i, name := range []string{"first", "second", "third"} {
		task := dag.Task{Name: name, Job: dag.Command("work", name, "{{N}}")}
		if i > 0 {
			task.Parents = []string{d.Tasks[i-1].Name}
		}
		d.Tasks = append(d.Tasks, task)
	}
	return d
}

// work counts how often each command is run.
type work struct {
	mu     sync.Mutex
	times  map[string]int
	enough int
	half   chan struct{} // closed when enough commands have run
}

func (w *work) do(_ context.Context, c *inproc.Call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times[fmt.Sprint(c.Args)]++
	if len(w.times) == w.enough*3/2 {
		close(w.half)
	}
	return nil
}
