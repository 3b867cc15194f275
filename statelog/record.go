package statelog

import (
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// Version is the version of the records this package knows.
const Version = 1

// A Kind says what a record records.
type Kind uint8

// The kinds of records. Their numbers and texts never change.
const (
	// Opened is the first record of every run. It carries the definition.
	Opened Kind = iota + 1
	// Resumed: another engine goes on with the run. Open attempts of executors
	// that are not durable are over.
	Resumed
	// Intent: an attempt is about to be handed to its executor. It may have
	// been started from here on.
	Intent
	// Started: the executor said that the attempt runs, or what its reference
	// outside is.
	Started
	// Done: the attempt is over and its outcome is known.
	Done
	// Lost: the attempt is over through no fault of the task.
	Lost
	// NotStarted: the intent is withdrawn; nothing was started. Its attempt
	// number is not used again.
	NotStarted
	// Decided: a decision of a user or of the engine, see [Decision].
	Decided
	// Closed: the run is over. Only Reopened may follow.
	Closed
	// Reopened: a closed run goes on, to try again what did not complete.
	Reopened
	// Detached: the engine left the run in good order. What it left open goes on
	// with durable executors. An engine that died leaves no such record.
	Detached
)

// A Decision is what a Decided record decides.
type Decision uint8

// The decisions. Their numbers and texts never change.
const (
	// Kill ends an instance, or all of a task, for good.
	Kill Decision = iota + 1
	// Hold keeps what has not started from starting; Release ends that.
	Hold
	Release
	// Retry gives what failed or was killed another round of attempts. It
	// covers everything downstream too if All is set.
	Retry
	// FailFast stops the rest of the run after a failure.
	FailFast
	// Abort kills the run.
	Abort
)

// A Class says whose fault the end of an attempt was.
type Class uint8

// The classes. Their numbers and texts never change.
const (
	// Success: it completed.
	Success Class = iota
	// Failure: the command ran and failed.
	Failure
	// TimeLimit: it ran longer than its job allows.
	TimeLimit
	// OutOfMemory: it used more memory than it may.
	OutOfMemory
	// NotRun: the executor could not run it, for example because there is no
	// such command.
	NotRun
	// BadOutput: a generator's output could not be used.
	BadOutput
	// Panicked: a function panicked.
	Panicked
	// Killed: by a user or by the end of the run.
	Killed
	// Infrastructure: lost too often.
	Infrastructure
	// Poison: it took its engine down every time.
	Poison
	// Interrupted: the engine stopped it because the run was interrupted. It
	// costs the task nothing. Only in Lost.
	Interrupted
)

// WholeTask in [Record.Instance] means all instances of the task.
const WholeTask = -1

// A Record is one durable fact about a run. Records are small: tasks are
// numbered in definition order, those of generators follow in the order of the
// splices, and names and keys derive from the numbers.
type Record struct {
	// Seq numbers the records of a run from 1, without a gap. The log sets it.
	Seq  uint64
	Kind Kind
	// Class is the outcome, in Done and Lost.
	Class Class
	// Decision is set in Decided, and All widens it.
	Decision Decision
	All      bool

	// Task and Instance, from 0, and Attempt, from 1, say what the record is
	// about. A Decided record has no attempt, and may be about all instances of
	// a task ([WholeTask]).
	Task, Instance, Attempt int

	// Time is when the record was made, by the engine's wall clock. Order comes
	// from Seq alone.
	Time time.Time
	// Start is when the attempt was handed to its executor, in Done and Lost.
	Start time.Time
	// Delay is how long the next attempt waits, in Done and Lost. Negative:
	// there is none, the outcome is final.
	Delay time.Duration

	// Result is the executor's, in Done. Nil: the zero Result. Never altered.
	Result *executor.Result
	// Node is where an Intent was placed, or where Started says it runs.
	Node string
	// Ref is the reference outside, in Started.
	Ref string
	// Reason is for people, in Done, Lost, NotStarted, Decided, Closed and
	// Detached.
	Reason string
	// Output is what a generator printed, in its successful Done, and is what
	// was spliced.
	Output []byte

	// State of the run, in Closed.
	State string
	// Engine is the random ID of the engine, in Opened, Resumed and Reopened.
	Engine string
	// Opened is set in Opened, Pools also in Resumed and Reopened.
	Opened *Opening
	Pools  []Pool
}

// An Opening is what is needed to go on with a run, in its first record.
type Opening struct {
	// Version of the records, and Expansion, the version of the rules by which
	// tasks become instances. A library that knows neither refuses the log.
	Version, Expansion int
	// Definition returns the DAG as it was when the run was opened. It is a
	// function so that a log in memory needs no second copy of a million tasks.
	Definition func() *dag.DAG
	// Tags of the DAG.
	Tags map[string]string
	// KeyPrefix starts the keys of all attempts of the run.
	KeyPrefix string
	// Seed of everything that is random in the run.
	Seed uint64
	// FailFast and LongestPathFirst are the runner's settings.
	FailFast, LongestPathFirst bool
}

// A Pool is what a run knows of one of its executors.
type Pool struct {
	Name string `json:"name"`
	// Executor is the kind, for example "fork".
	Executor string `json:"executor"`
	Durable  bool   `json:"durable,omitempty"`
}
