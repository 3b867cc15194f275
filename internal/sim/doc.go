// Package sim tests the runner in simulated worlds. It is nothing but tests.
//
// A world is drawn from a seed: a definition, what its tasks do, a log, executors,
// and how often what goes wrong. The real [github.com/daggy-go/daggy/runner.Runner]
// runs the definition in it, within a bubble of testing/synctest, so that time is
// virtual and the world knows when every goroutine waits for it.
//
// # How it works
//
// Whatever an engine asks of the world (append to the log, run an attempt, forget
// one) waits there until it is answered. One loop, the driver, waits until nothing
// moves, lists what could happen next in a fixed order, and has the seed choose
// one thing: an append is applied and acknowledged, or not, or the answer is lost;
// a message between an engine and a node is delivered, lost or doubled; work ends;
// the engine dies and another one goes on; a user kills a task; time passes. As
// one thing happens at a time, a seed always gives the same history, which
// TestDeterminism checks.
//
// After the faults there is a quiet phase in which nothing goes wrong any more.
// The run must end in it.
//
// # What is checked
//
// The book is an evaluator of records that is written as plainly as can be and
// shares nothing with the plan but the words. It folds every record when it
// becomes durable and refuses those that must not follow from what it knows. The
// world checks every start, every end and every Forget against the book and
// against its own notes of what really ran. Violations are named by the
// invariants I1–I12 and the rules of the design. At the end, and at random
// prefixes of the log, a fresh Runner replays the records and must agree with the
// book, as must the Runner that made them.
//
// The test fails if any fault, kind of record or decision never occurred over all
// seeds, for what does not occur tests nothing. The mutants are deliberate
// mistakes in the runner, each of which must be caught.
//
// # Use
//
//	go test ./internal/sim -run TestSim -args -seeds=20000
//	go test ./internal/sim -run TestSim -args -seed=1234 -trace
//
// A seed that found a mistake goes to testdata/seeds.txt, and runs first from then
// on.
package sim
