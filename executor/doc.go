// Package executor is the seam between the runner and whatever really does the
// work: processes, Go functions, a cluster, a simulation. It has the interface
// that executors implement and the words that both sides use.
//
// The smallest executor is a function:
//
//	ex := executor.RunFunc(
//		func(ctx context.Context, a *executor.Attempt) (executor.Result, error) {
//			_, err := fmt.Fprintln(a.Stdout, "running", a.Job.Command)
//			return executor.Result{}, err
//		})
//	report, err := (&runner.Runner{Executor: ex}).Run(ctx, d)
//
// A type that implements [Executor] can also say which jobs it accepts, and have
// the abilities [Durable], [Allocating] and [PoolValidator]. Callers find an
// ability with [As] and never by an assertion, so that wrappers, which have a
// method Unwrap() Executor, do not hide it.
//
// # Rules
//
// These are the promises of an executor and what it can count on. Package
// executortest checks them, with one subtest for each number. Calls are
// concurrent unless a rule says otherwise.
//
// E1 (over means over). [Executor.Run] blocks until the attempt is over and
// nothing of it is left: no process, no descendant, no goroutine, nobody who
// writes to its outputs. After it has returned the [Attempt] is not used any
// more. What a command did is a [Result], also when it exited with another code
// than 0. An error means that it could not be run, or that it is not known how
// it ended; it fails the attempt, which may be retried unless the error is
// [Permanent]. When the engine ends an attempt, the engine's reason decides what
// it is called, except that a success stays a success.
//
// E2 (stopping). When ctx ends while the work runs, the executor asks the work
// to stop (SIGTERM, for a process), waits for a grace time, ends it by force
// together with all of its descendants, and returns. When ctx has ended before,
// nothing is started. The exception is a ctx whose cause, as [context.Cause] has
// it, is [ErrDetach]: a durable executor leaves the work alone and returns at
// once. What could not be ended is named in [Result].Left.
//
// E3 (lost). A [LostError] is a promise: nothing runs under this key and nothing
// ever will. It takes proof, such as a claim on the key that nobody else can
// take any more, a node that is known to have rebooted, or a lease that is over
// by the executor's own monotonic clock, with a margin. Until there is proof,
// Run keeps trying, with the same key. A time-out proves nothing.
//
// E4 (not started). A [NotStartedError] is definite too: nothing was started,
// for want of something that comes back, such as descriptors, processes or room
// in a queue. The same attempt is run again after a pause. That uses up neither
// the retries of the task nor the budget of lost attempts, and others are
// started more slowly for a while.
//
// E5 (durable). If [Durable] says so, attempts outlive the engine, and Run is
// idempotent by key: it starts what was not started, attaches to what runs, and
// reports what has ended, with the output from its first byte. With
// [Attempt].Resumed it does so on [Attempt].Node only; without proof of whether
// the key was started it waits. It never starts a key twice, however many calls
// there are and in whatever order they arrive: a claim that either the job or
// the engine takes first makes those that come late harmless. Run with a ctx
// that has ended already closes the key: it takes the claim, so that the key
// never starts, or stops what runs, or reports how it ended. If the cause is
// ErrDetach it does none of that. What one engine stopped or closed is a
// [LostError] to an engine that asks later, for it was not the task that failed;
// except for [ErrTimeLimit]. Forget says that the outcomes are recorded:
// output may go, but that the keys were used stays known, and Forget may be
// repeated and may name unknown keys.
//
// E6 (output and resources). Output goes to the attempt's writers byte for byte,
// as it comes and in bounded memory: a gigabyte costs none. Each writer is used
// by one goroutine at a time, and files are not closed, truncated or moved. The
// resources that a job asks for are enforced where the platform can; those that
// are not are named in [Result].Unenforced.
//
// E7 (time limits). The engine ends ctx with the cause [ErrTimeLimit], and the
// result says [CauseTime], or the error is ErrTimeLimit. It counts as a failure
// of the task. The limit counts from the first [Status] that says Running, so an
// executor whose work waits elsewhere first reports that it waits, and later
// that it runs. One that reports nothing has its work run from the call of Run.
// Durable executors enforce the limit where the job runs.
//
// E8 (capacity). The runner leases, from the allocator that [Allocating] gives it,
// before it calls Run, and releases afterwards. The executor never leases. It
// runs the work on [Attempt].Node if that was leased, without asking whether
// there is room.
//
// R4 (panics). A panic that leaves Run fails the attempt, with its stack, as a
// [PanicError]. So does [runtime.Goexit], which ends the goroutine that called
// Run; the runner replaces it. An executor that runs Go code on goroutines of
// its own recovers panics there. What nobody can recover ends the program: a
// panic in a goroutine that user code starts, a fatal error of the Go runtime,
// os.Exit.
//
// S3 (environment). Work gets the variables of [Attempt.Environ], in which the
// job's come first and DAGGY_RUN, DAGGY_TASK, DAGGY_ATTEMPT and DAGGY_KEY after
// them, and little else of the environment of the engine unless it was asked
// for. Names that users give never become paths; keys may.
//
// S4 (words). A command is a vector of arguments. It reaches the work word by
// word as it is; no part of it is ever pasted into the text of a shell.
//
// # What Validate is for
//
// [Executor.Validate] is called for each task before anything starts, so that
// what cannot work is refused while that costs nothing. It reports every field
// that the executor cannot use, above all options that it does not know, and all
// of them at once. Parameters are not put in yet: a value with a {{NAME}} in it
// is only known when the attempt runs.
package executor
