package executortest

import (
	"testing"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// Config describes the executor to be checked. New and Jobs are required.
type Config struct {
	// New makes an executor for one check. Its grace time should be long, some
	// ten seconds: otherwise, on a busy machine, work may be killed before it has
	// had the time to show that it was asked to stop. If executors may have an
	// allocator, give it one, with room for at least one core, or else E8 cannot
	// be checked.
	New func(tb testing.TB) executor.Executor
	// Impatient makes an executor like New does, with a short grace time of some
	// 100 ms, for the few checks of work that does not stop when it is asked.
	// Nil: New, with which they take the grace time that it has.
	Impatient func(tb testing.TB) executor.Executor
	// Jobs are the jobs that the checks run.
	Jobs Jobs
	// Lost sets up an attempt that the infrastructure will fail, for E3. Nil:
	// E3 is not checked.
	Lost func(tb testing.TB) Fault
	// NotStarted sets up an attempt that cannot be started for now, for E4. Nil:
	// E4 is not checked.
	NotStarted func(tb testing.TB) Fault
	// Restart returns an executor that finds what ex has started, as a new
	// engine would have it. Nil: ex itself is used again. For E5.
	Restart func(tb testing.TB, ex executor.Executor) executor.Executor
	// Kill ends by force, as by SIGKILL, what keeps the attempts of ex while no
	// engine is there, so that nobody can know any more how they end. Nil: nothing
	// does, or it cannot be. For E5.
	Kill func(tb testing.TB, ex executor.Executor)
	// Weaker declares which guarantees the executor cannot give.
	Weaker Weaker
	// Concurrent is how many attempts the check of concurrency runs at once.
	// 0: 200.
	Concurrent int
	// Patience is the longest that a check waits for anything. It only has an
	// effect if the executor is broken. 0: two minutes.
	Patience time.Duration

	// quiet is how long a check looks whether something happens that must not.
	// Too short a time only lets a broken executor pass now and then; a good one
	// never fails for it.
	quiet time.Duration
	// limit is a time limit that is over soon.
	limit time.Duration
	// flood is how many bytes of output must not cost memory.
	flood int64
}

// A Fault is something that goes wrong on purpose.
type Fault struct {
	// Executor to run Job with. Not nil.
	Executor executor.Executor
	// Job that will be lost, or cannot be started. It should dial hold if it ever
	// runs, see [Jobs.Wait]. Not nil.
	Job func(hold string) dag.Job
	// Relieve ends the fault, so that the same attempt can be started after all.
	// Required for E4 only.
	Relieve func()
}

// Weaker declares guarantees that an executor cannot give by its nature, each
// with the reason, which is logged in place of the check. "": it is given, and
// checked.
type Weaker struct {
	// CannotAsk: work is ended without having been asked to stop first (E2).
	CannotAsk string
	// CannotKill: work that ignores being asked to stop cannot be ended (E2).
	CannotKill string
	// AcceptsAnyJob: Validate cannot tell which jobs are of no use.
	AcceptsAnyJob string
	// NoEnvironment: Job.Environment and the variables DAGGY_* do not reach the
	// work.
	NoEnvironment string
	// NoPanics: work cannot panic in this process, because it runs elsewhere
	// (R4).
	NoPanics string
	// NoDescendants: work cannot leave processes of its own behind (E1, E2).
	NoDescendants string
}

// Jobs are the jobs that the checks run, in the terms of one executor. Each nil
// one must be declared in [Weaker], except those that say otherwise.
//
// A job that takes an address, hold, dials it by TCP when it has started and is
// ready to be asked to stop, and keeps the connection for as long as it lives.
type Jobs struct {
	// Exit ends with this exit code. Required.
	Exit func(code int) dag.Job
	// Print writes exactly these bytes to its two outputs, and succeeds.
	// Required.
	Print func(stdout, stderr []byte) dag.Job
	// Arguments writes each of the words that it is given to its stdout, followed
	// by a zero byte, and succeeds. Nil: the executor has no words; S4 is not
	// checked.
	Arguments func(words ...string) dag.Job
	// Environment writes each entry of its environment to its stdout, followed
	// by a zero byte, and succeeds. See [Weaker.NoEnvironment].
	Environment func() dag.Job
	// Flood writes this many bytes to its stdout, in pieces, and succeeds.
	// Required.
	Flood func(size int64) dag.Job
	// Wait goes on until the suite closes its side of the connection and then
	// writes [Ended] to its stdout and succeeds. When it is asked to stop it
	// writes [Stopped] to its stdout and ends with exit code [StopCode].
	// Required.
	Wait func(hold string) dag.Job
	// Stubborn is like Wait and takes no notice of being asked to stop. See
	// [Weaker.CannotKill].
	Stubborn func(hold string) dag.Job
	// Tree starts a descendant which dials hold too, ignores being asked to stop,
	// and keeps the outputs open. Then it does what Wait does. See
	// [Weaker.NoDescendants].
	Tree func(hold string) dag.Job
	// Orphan starts a descendant like that of Tree, and succeeds as soon as that
	// one has dialled. Itself it does not dial. See [Weaker.NoDescendants].
	Orphan func(hold string) dag.Job
	// Panic panics with the value [PanicValue], in this process. See
	// [Weaker.NoPanics].
	Panic func() dag.Job
	// Missing names a command that does not exist. Nil: every command exists.
	Missing func() dag.Job
}

// What the jobs print and return.
const (
	// Ended is what [Jobs.Wait] prints when the suite lets it end.
	Ended = "ended\n"
	// Stopped is what [Jobs.Wait] prints when it is asked to stop.
	Stopped = "stopped\n"
	// StopCode is the exit code of [Jobs.Wait] after it was asked to stop.
	StopCode = 7
	// PanicValue is what [Jobs.Panic] panics with.
	PanicValue = "executortest: panic on purpose"
)

func (c Config) withDefaults() Config {
	if c.Impatient == nil {
		c.Impatient = c.New
	}
	if c.Concurrent == 0 {
		c.Concurrent = 200
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	if c.quiet == 0 {
		c.quiet = 20 * time.Millisecond
	}
	if c.limit == 0 {
		c.limit = 200 * time.Millisecond
	}
	if c.flood == 0 {
		c.flood = 64 << 20
	}
	return c
}
