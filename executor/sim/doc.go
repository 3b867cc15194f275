// Package sim is an executor that only pretends to work: for tests of pipelines
// and of what is built on the runner, and for studies of how a definition would
// run.
//
// What attempts do is a [Behaviour]: how long they take, what they print, how
// they end, and what goes wrong. It is scripted by name, or drawn from a seed:
//
//	ex := sim.New(sim.Config{
//		Script: map[string]sim.Behaviour{
//			"fetch":  {Duration: time.Hour, Lost: 1},         // lost once, then fine
//			"parse":  {Duration: time.Minute, ExitCode: 3},   // fails
//			"plot_2": {Duration: time.Second, NotStarted: 5}, // one instance
//		},
//		Behave: sim.Random{
//			Duration: sim.Exponential(10 * time.Minute),
//			Fail:     0.01,
//		}.Behave,
//		Seed: 1,
//	})
//
// # Guarantees
//
//   - All time is from package time and nothing else blocks: within
//     testing/synctest, hours take none.
//   - A draw depends on the seed, the name of the instance and the number of the
//     attempt, and on nothing else: not on the order in which tasks run, nor on
//     the run.
//   - No goroutine is started, also for attempts that go on after they were
//     detached: their end is a matter of the clock.
//   - It keeps rules E1–E8, except as its behaviours say. With Config.Durable it
//     keeps E5 as well, for as long as the [Executor] lives.
//
// # Limits
//
// It knows nothing of commands and accepts every job, unless Config.Validate
// says otherwise. Resources are leased and not used, environments not looked at.
package sim
