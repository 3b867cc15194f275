package runnertest

import (
	"reflect"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
)

// Config says what takes the place of the real world. With the zero Config no
// command is known, so that only tasks without one can run.
type Config struct {
	// Funcs run in place of commands, by the first word of the command as the
	// task has it. Options of jobs are accepted, whatever they are.
	Funcs inproc.Funcs
	// Default runs in place of commands that Funcs does not have. Nil: a
	// definition with such a command is refused, and nothing starts.
	Default inproc.Func
	// Executor runs all tasks in place of Funcs and Default, for example one of
	// package sim. Nil: they do.
	Executor executor.Executor
	// Pools are executors for some pools, by name. All other pools, those of the
	// DAG, of its tasks and of Runner, have the same executor as pool "". A pool
	// that only generated tasks name must be listed here or in Runner, where a
	// nil executor will do.
	Pools map[string]executor.Executor
	// Runner has the other settings of the run, such as MaxRunning or FailFast.
	// It is not altered, and none of its executors is used. Nil: the zero Runner.
	Runner *runner.Runner
	// Start is the virtual time at which the run starts, not before 2000. Zero:
	// at once.
	Start time.Time
	// Timeout is the virtual time after which the run is stuck and the test
	// fails. 0: a hundred years.
	Timeout time.Duration
	// Meanwhile is called when the run has started, on the goroutine of the
	// test, to do something to it: kill, hold, stop. It may wait in virtual
	// time, with [time.Sleep] or [testing/synctest.Wait]. Nil: nothing is done.
	Meanwhile func(h *runner.Handle)
}

const defaultTimeout = 100 * 365 * 24 * time.Hour

// runner puts together what runs d.
func (c *Config) runner(d *dag.DAG, rec *recorder) *runner.Runner {
	r := settings(c.Runner)
	common := c.Executor
	if common == nil {
		common = newCommands(c.Funcs, c.Default)
	}
	pools := map[string]executor.Executor{}
	for _, name := range poolsOf(d, r, c.Pools) {
		pools[name] = rec.wrap(common)
		if ex := c.Pools[name]; ex != nil {
			pools[name] = rec.wrap(ex)
		}
	}
	r.Executor = pools[""]
	delete(pools, "")
	r.Pools = pools
	if r.Seed == 0 {
		r.Seed = 1
	}
	return r
}

// poolsOf names all pools that there may be, "" too.
func poolsOf(d *dag.DAG, r *runner.Runner, more map[string]executor.Executor) []string {
	names := []string{""}
	if d != nil {
		names = append(names, d.Pool)
		for i := range d.Tasks {
			names = append(names, d.Tasks[i].Pool)
		}
	}
	for name := range r.Pools {
		names = append(names, name)
	}
	for name := range more {
		names = append(names, name)
	}
	return names
}

// settings copies the exported fields of a Runner, which must not be copied
// itself. Reflection finds the fields of next year too.
func settings(from *runner.Runner) *runner.Runner {
	to := new(runner.Runner)
	if from == nil {
		return to
	}
	src, dst := reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem()
	for i := range src.NumField() {
		if src.Type().Field(i).IsExported() {
			dst.Field(i).Set(src.Field(i))
		}
	}
	return to
}
