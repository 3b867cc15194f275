// Package memlog keeps the records of runs in memory. It is the log of a
// [github.com/daggy-go/daggy/runner.Runner] that is given none.
//
//	log := memlog.New()
//	r := runner.Runner{Log: log}
//
// It keeps all rules of package statelog, except that its records are durable
// only for as long as the process lives: with the process everything is lost,
// and a run that was not over cannot be resumed. Programs that want to go on
// after a crash use a log that writes to disk.
//
// A record of an attempt takes 32 bytes, and a batch of them about as long as it
// takes to copy. Records are packed into chunks that never move and that the
// garbage collector does not look into; what few records have (a result, a
// reason, a reference outside) is kept beside them.
//
// Runs are kept until [Log.Remove] or [Log.KeepClosed] removes them.
package memlog
