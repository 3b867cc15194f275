package sim

import (
	"io"
	"math/rand/v2"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// A Behaviour says what attempts do. The zero Behaviour succeeds at once and
// prints nothing.
type Behaviour struct {
	// Wait is how long an attempt waits outside, as in the queue of a cluster,
	// before it is reported as running.
	Wait time.Duration
	// Duration is how long it runs.
	Duration time.Duration
	// Until makes it run on after Duration, until this is closed. Nil: it does
	// not.
	Until <-chan struct{}

	// Stdout and Stderr are printed at the start.
	Stdout, Stderr string
	// Output prints more at the start. Nil: nothing. It is called again when a
	// durable attempt is attached to, and must print the same then.
	Output func(stdout, stderr io.Writer) error
	// Last is printed to the standard output at the end, except by an attempt
	// that was stopped.
	Last string

	// ExitCode is how attempts end.
	ExitCode int
	// Cause of the failure, for [executor.CauseMemory] and such.
	Cause executor.Cause
	// Message of the result.
	Message string
	// Err is returned by Run at the end, in place of a result. Nil: the result.
	Err error
	// Panic is what Run panics with at the end. Nil: it does not.
	Panic any
	// Fail lets only so many attempts fail, the first ones that are not lost.
	// Those that follow succeed. If there is neither ExitCode nor Cause, Err nor
	// Panic, they exit with 1. 0: no attempt differs from the others.
	Fail int

	// NotStarted is how often each attempt cannot be started (E4) before it can.
	NotStarted int
	// RetryAfter goes with NotStarted.
	RetryAfter time.Duration
	// Lost is how many attempts are lost at the end (E3), the first ones.
	Lost int

	// StopTime is how long it takes to stop an attempt that has begun. 0: no
	// time.
	StopTime time.Duration
	// IgnoreStop makes it run to its end although it was asked to stop. This
	// breaks rule E2, on purpose.
	IgnoreStop bool

	// OnStart and OnEnd are called when an attempt has started to run and when
	// it has ended, once each. Nil: nothing is called. If nobody attends to a
	// durable attempt at that moment, they are called when somebody does.
	OnStart, OnEnd func()
}

// errLost and errNotStarted are what the faults say.
var (
	errLost       = simError("the node was lost, as the simulation wants it")
	errNotStarted = simError("there is no room, as the simulation wants it")
)

// A simError is a failure that was asked for.
type simError string

func (e simError) Error() string { return "sim: " + string(e) }

// outcome is how an attempt of this number ends if it is left to.
func (b *Behaviour) outcome(number int) outcome {
	if number <= b.Lost {
		return outcome{err: &executor.LostError{Err: errLost}}
	}
	if b.Fail > 0 && number > b.Lost+b.Fail {
		return outcome{}
	}
	result := executor.Result{ExitCode: b.ExitCode, Cause: b.Cause, Message: b.Message}
	if b.Fail > 0 && result.OK() && b.Err == nil && b.Panic == nil {
		result.ExitCode = 1
	}
	return outcome{result: result, err: b.Err, panic: b.Panic}
}

// An outcome is what becomes of an attempt.
type outcome struct {
	result executor.Result
	err    error // in place of result
	panic  any   // in place of both
}

// behaviour finds the script of an attempt.
func (e *Executor) behaviour(a *executor.Attempt) Behaviour {
	if b, ok := e.config.Script[a.Instance]; ok {
		return b
	}
	if b, ok := e.config.Script[a.Task]; ok {
		return b
	}
	if e.config.Behave != nil {
		return e.config.Behave(a, rand.New(e.source(a)))
	}
	return e.config.Default
}

// source is where the draws of an attempt come from.
func (e *Executor) source(a *executor.Attempt) rand.Source {
	// FNV-1a.
	hash := uint64(14695981039346656037)
	for i := range len(a.Instance) {
		hash = (hash ^ uint64(a.Instance[i])) * 1099511628211
	}
	return rand.NewPCG(e.config.Seed, hash+uint64(a.Number)*0x9e3779b97f4a7c15)
}
