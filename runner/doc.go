// Package runner runs DAGs.
//
//	d := &dag.DAG{Tasks: []dag.Task{
//		{Name: "fetch", Job: dag.Command("curl", "-sSO", "https://example.org/data")},
//		{Name: "count", Job: dag.Command("wc", "-l", "data"), Parents: []string{"fetch"}},
//	}}
//	report, err := runner.Run(ctx, d)
//
// That is the zero [Runner]: commands are processes of this machine, at most as
// many at once as it has cores, and the state of the run is kept in memory. The
// fields of a Runner choose executors, a log, limits and observers. A run that
// goes on is a [Handle], by which it can be watched, paused, stopped and
// changed; one that is over is a [Report].
//
// # States
//
// An instance of a task is waiting, queued, running, completed, failed, killed
// or skipped. A run is running, completed, failed, killed or interrupted. A run
// of which anything did not complete is not completed. A failure stops what
// depends on it and nothing else, unless [Runner.FailFast] is set; what could
// not start because of it is skipped when the run closes.
//
// # Attempts
//
// An attempt that fails by itself uses up one of the task's retries. One that is
// lost, in the sense of [executor.LostError], does not: it is tried again after
// an exponential, jittered pause, as [Runner.Lost] says. One of which nothing
// was started ([executor.NotStartedError]) is handed over again under the same
// key, and its pool starts fewer at once for a while.
//
// A panic or a runtime.Goexit in an executor or a function fails the attempt,
// with its stack. What cannot be caught takes the program down: panics in
// goroutines that a function starts itself, fatal errors of the Go runtime such
// as concurrent map writes, and os.Exit.
//
// # Order
//
// In each pool, what could start is started by priority, then, if
// [Runner.LongestPathFirst] is set, by the length of the chain of tasks behind
// it, then in the order of the definition. A task whose request for resources
// does not fit can be overtaken by others, but not without bound: see
// [capacity.MaxOvertaken]. Pools do not wait for each other.
//
// # The end
//
// When the context of a run ends, everything that was started is stopped and
// waited for, and the run is interrupted: it is not closed in its log, and
// [Runner.Resume] can go on with it. An executor that does not return within
// [Runner.StopTimeout] is named in an [ErrStillRunning]; its attempt stays open.
// Otherwise nothing is left: no goroutine, no process, no descriptor.
//
// # The log
//
// Nothing is started, and no observer is told of anything, before the record of
// it is in the log. With a log that keeps its records only in memory, which is
// the default, a run ends with the program.
//
// With a durable log it does not. [Runner.Ensure], called again with the same ID
// and definition by whatever program, and [Runner.Resume] go on with the run:
//
//   - What is recorded as completed does not run again, and no generator
//     generates again.
//   - What was open goes on if its executor is durable, as local processes are
//     with a log in a directory: it is found under its key, never started twice.
//     Otherwise it is run again, at no cost to the task's retries.
//   - At most one engine has a run: the log locks it, and refuses records of an
//     engine that another has followed.
//
// [Handle.Detach] lets go of durable attempts and ends the engine, [Handle.Stop]
// and the end of the context stop them. Either way the run can be resumed.
//
// When the log does not take records, nothing new starts and what runs goes on,
// for [Runner.StoreTimeout]; then the run is interrupted. An append of which the
// answer was lost is looked up, never assumed. A task with which engine after
// engine dies fails in the end, see [Runner.Poison].
package runner
