package sim_test

import (
	"math"
	"math/rand/v2"
)

// A fault is something that goes wrong, or that somebody does, now and then.
type fault string

// Faults of the log.
const (
	appendFails     fault = "append-fails"  // and nothing was added
	appendLost      fault = "append-lost"   // and the engine is not told that
	appendHidden    fault = "append-hidden" // and the engine is not told that
	appendLate      fault = "append-late"   // and it may be applied later
	appendSlow      fault = "append-slow"   // to be acknowledged
	readFails       fault = "read-fails"
	outage          fault = "outage"
	lockLost        fault = "lock-lost"
	forgetFails     fault = "forget-fails"
	appendCancelled fault = "append-cancelled" // and not taken back
)

// Faults of executors.
const (
	drop       fault = "drop"
	duplicate  fault = "duplicate"
	partition  fault = "partition"
	nodeDeath  fault = "node-death"
	requeue    fault = "requeue"
	notStarted fault = "not-started"
	lost       fault = "lost"
	stubborn   fault = "stubborn" // it succeeds while it is stopped
	capacities fault = "capacity"
)

// Faults of engines, and what users do.
const (
	crash        fault = "crash"
	secondEngine fault = "second-engine"
	cancel       fault = "cancel"
	clockStep    fault = "clock-step"
	stopRun      fault = "stop"
	detachRun    fault = "detach"
	abortRun     fault = "abort"
	killTask     fault = "kill"
	holdTask     fault = "hold"
	releaseTask  fault = "release"
	retryTask    fault = "retry"
	pauseRun     fault = "pause"
	reopen       fault = "reopen"
)

// faults has all of them, in the order in which rates are drawn.
var faults = []fault{
	appendFails, appendLost, appendHidden, appendLate, appendSlow, readFails, outage, lockLost,
	forgetFails, appendCancelled, drop, duplicate, partition, nodeDeath, requeue, notStarted, lost,
	stubborn, capacities, crash, secondEngine, cancel, clockStep, stopRun, detachRun, abortRun,
	killTask, holdTask, releaseTask, retryTask, pauseRun, reopen,
}

// rare faults end a run early, so that little else can happen after them.
var rare = map[fault]float64{abortRun: 0.05, killTask: 0.5, reopen: 4}

// drawRates returns how often each fault occurs where it could. Half of them do
// not, so that combinations of few faults are tried as well as that of many.
func drawRates(rnd *rand.Rand, without map[string]bool) map[fault]float64 {
	const least, most = 0.003, 0.2
	rates := map[fault]float64{}
	for _, f := range faults {
		on, at := rnd.IntN(2) == 0, rnd.Float64()
		if !on || without[string(f)] {
			continue
		}
		rates[f] = math.Exp(math.Log(least) + at*math.Log(most/least))
		if factor, ok := rare[f]; ok {
			rates[f] *= factor
		}
	}
	return rates
}

// strikes decides whether a fault occurs here.
func (w *world) strikes(f fault) bool {
	rate := w.rates[f]
	if w.quiet || rate == 0 || w.rnd.Float64() >= rate {
		return false
	}
	w.seen[string(f)]++
	return true
}
