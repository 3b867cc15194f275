// Package daggy runs workflows that are directed acyclic graphs of tasks, from
// inside Go programs. This package itself is documentation only; programs
// import the packages below.
//
// Define a DAG in Go or in JSON, multiply its tasks over parameters, let tasks
// generate more tasks while the run goes on, and run each task as a Go function,
// as a process of this machine or on an executor of your own. What happens is
// recorded in a log before it is acted upon. One call runs it all:
//
//	d := &dag.DAG{Tasks: []dag.Task{
//		{Name: "pull", Job: dag.Command("./pull", "--date", "2026-01-31")},
//		{Name: "report", Job: dag.Command("./report"), Parents: []string{"pull"}},
//	}}
//	report, err := runner.Run(ctx, d)
//
// The report says how each task fared; the error names every task that failed.
//
// # Packages
//
// What a workflow is:
//
//   - [github.com/daggy-go/daggy/dag] has the nouns: DAG, Task, Job, Resources
//     and Parameters, with their JSON, validation and drawings.
//   - [github.com/daggy-go/daggy/expand] turns tasks that refer to list
//     parameters into their instances.
//
// Where its tasks run:
//
//   - [github.com/daggy-go/daggy/executor] is the interface of executors.
//   - [github.com/daggy-go/daggy/executor/inproc] runs Go functions.
//   - [github.com/daggy-go/daggy/executor/fork] runs local processes. It is the
//     default.
//   - [github.com/daggy-go/daggy/executor/sim] runs nothing and says how long
//     that took, for studies and tests.
//   - [github.com/daggy-go/daggy/capacity] knows what a machine has and shares
//     it out.
//
// What is remembered of a run:
//
//   - [github.com/daggy-go/daggy/statelog] is the interface of logs, and their
//     records.
//   - [github.com/daggy-go/daggy/statelog/memlog] keeps them in memory. It is
//     the default.
//   - [github.com/daggy-go/daggy/statelog/streamlog] also writes them to an
//     io.Writer, one line of JSON each.
//
// What runs it:
//
//   - [github.com/daggy-go/daggy/runner] runs DAGs. Start here.
//   - [github.com/daggy-go/daggy/runner/progress] shows how a run fares on a
//     terminal.
//
// What tests it:
//
//   - [github.com/daggy-go/daggy/runner/runnertest] tests a pipeline in virtual
//     time.
//   - [github.com/daggy-go/daggy/executor/executortest] and
//     [github.com/daggy-go/daggy/statelog/statelogtest] check executors and logs
//     against the rules that the runner counts on.
package daggy
