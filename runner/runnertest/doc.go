// Package runnertest tests pipelines: it runs a DAG in virtual time, with Go
// functions in place of its commands, and says what happened.
//
//	func TestPipeline(t *testing.T) {
//		res := runnertest.Run(t, Pipeline(), runnertest.Config{
//			Funcs: inproc.Funcs{
//				"curl":    runnertest.FailFirst(2, runnertest.Print("21.5")),
//				"psql":    store,
//				"sendmail": runnertest.Take(time.Minute, nil),
//			},
//		})
//		res.RequireCompleted(t)
//		res.RequireOrder(t, "fetch", "store", "mail")
//		res.RequireAttempts(t, "fetch", 3)
//	}
//
// The pipeline need not know: one that is written for local processes, for a
// cluster, or for several pools is tested as it is, and no process is started.
//
// # Virtual time
//
// [Run] runs everything in a bubble of package [testing/synctest]. Its clock
// starts at midnight UTC 2000-01-01, or at Config.Start, and jumps ahead whenever
// everybody waits: a retry after an hour takes no time, but [Result.Elapsed]
// counts it. What is not in the bubble stops the clock or is not waited for:
// functions should neither use the network nor start processes, and should not
// wait for what was made outside of the test, channels least of all. A function
// that takes time waits on a timer and on its ctx, as [Take] does.
//
// A run in which everybody waits for ever does not hang the test: after
// Config.Timeout of virtual time the test fails and names what is not over. Only a
// function that does not return when its ctx has ended keeps the bubble from
// ending, which then panics and shows where every goroutine waits.
//
// # What is certain
//
// Order is that of the run's dependencies. Tasks that may run at once start in
// any order, also here, so [Result.RequireOrder] should name those only that
// depend on each other. All that is random is drawn from a fixed seed, unless
// Config.Runner has one.
package runnertest
