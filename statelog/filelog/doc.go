// Package filelog keeps the records of runs in files, so that a run outlives its
// engine and its machine: the log to choose when there is no database.
//
//	log, err := filelog.Open(ctx, "state", filelog.Config{})
//	if err != nil {
//		return err
//	}
//	defer log.Close()
//	r := runner.Runner{Log: log}
//
// It keeps all rules of package statelog. What it adds to them:
//
// What Append returned nil for is on the disk: it survives the death of the
// process and of the machine, as far as the disk does what it is asked to.
// Appends that wait at the same time, of one run or of many, share one sync,
// which begins as soon as the one before is over. One that is alone waits for its
// own and for nothing else.
//
// One process at a time has the directory, and one [Log] in it. Another that opens
// it gets [statelog.ErrActive], after two seconds: the lock ends with the process,
// but a command that it was about to execute when it was killed has the lock for a
// moment longer. It is not to be trusted on network file systems.
//
// A last commit that was not written whole is cut off when the log is opened,
// kept in a file beside and reported by [Log.Found]. Damage anywhere else is a
// [*statelog.CorruptError] with file and offset, from Open or from Read, and then
// nothing is altered. FORMAT.md draws the bytes and says what cannot be noticed.
//
// A file whose sync failed is never written to or synced again: what was not
// known to be on the disk is written to a new file from memory. If that fails too,
// Append returns [statelog.ErrAmbiguous]. A disk that is full makes Append fail
// and adds nothing; when there is room again, Append succeeds again.
//
// [Log.Prune] removes runs that are over, and gives the space back. Without it a
// log only grows.
//
// # Files
//
// The records of all runs are in the same files, of 64 MiB, in the order in which
// they came. Records over 64 KiB, because of a definition or an output, have a
// file of their own. No name of a file is made of anything that a user says. All
// files are for their owner alone. Files that no log has made are reported and
// left alone.
//
// What is kept in memory is some 50 bytes for each 64 KiB of a run and what
// [Log.Runs] says of it.
package filelog
