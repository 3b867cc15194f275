// Package executortest checks that an executor keeps the rules of package
// executor. Every implementation calls it, with about ten lines:
//
//	func TestMain(m *testing.M) {
//		executortest.Main() // this binary plays the jobs
//		os.Exit(m.Run())
//	}
//
//	func TestConformance(t *testing.T) {
//		executortest.Run(t, executortest.Config{
//			New: func(testing.TB) executor.Executor { return fork.New(fork.Config{}) },
//			Impatient: func(testing.TB) executor.Executor {
//				return fork.New(fork.Config{Grace: 100 * time.Millisecond})
//			},
//			Jobs:   executortest.Processes(),
//			Weaker: executortest.Weaker{NoPanics: "commands are other processes"},
//		})
//	}
//
// There is one subtest for each numbered rule, with one subtest for each check
// in it, and each check gets a fresh executor.
//
// What an executor cannot do by its nature is declared in the [Config] together
// with the reason, and logged; nothing is guessed or skipped silently. An
// executor is checked for rule E5 if it says that it is durable, and for E8 if
// it has an allocator.
//
// # The jobs
//
// The checks need jobs that do certain things: end with an exit code, print
// certain bytes, go on until they are asked to stop, ignore being asked.
// [Play] does all of them. [Processes] are jobs for executors that run commands:
// the command is the test binary itself, whose TestMain calls [Main].
// [Functions] are jobs for executors that call Go functions, one of which calls
// Play. Others fill a [Jobs] by hand.
//
// A check finds out by a TCP connection to 127.0.0.1 whether a job runs: the job
// dials the address that it is given and keeps the connection until it ends.
// The operating system closes it however a process ends, so that neither pauses
// nor process IDs are needed to know that nothing is left.
package executortest
