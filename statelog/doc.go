// Package statelog says what is remembered of a run, so that another engine can
// go on with it: records, and the interface of the logs that keep them.
//
// A log is given to a runner. Package memlog has the default one, package
// streamlog one that also writes lines of JSON:
//
//	r := runner.Runner{Log: streamlog.New(os.Stderr, nil)}
//
// What happened in a run is read back from the same log:
//
//	for rec, err := range log.Read(ctx, id, 0) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(rec.Seq, rec.Kind, rec.Task, rec.Instance, rec.Attempt)
//	}
//
// # Rules
//
// Who implements a [StateLogger] keeps the rules marked (log); package
// statelogtest checks them. Who appends to one keeps those marked (engine).
//
// L1. The first record of a run is Opened (engine). Records are only ever added,
// and are numbered from 1 without a gap (log). What is read is what was
// appended, in the same order, every field of it, apart from the monotonic clock
// and the location of times (log). Texts are UTF-8 (engine).
//
// L2. An engine has at most one Append a run under way; what comes meanwhile goes
// into the next (engine). Nothing is started, shown or forgotten before the
// Append that records it has returned (engine). Different runs may be appended to
// at once, and a log that syncs merges them into one sync (log).
//
// L3. Append is all or nothing, whatever ends it, and compares the number of the
// last record: of two engines that go on from the same record one succeeds, and
// the other gets [ErrFenced] (log). Who is fenced stops at once and appends
// nothing more (engine). [ErrAmbiguous] is resolved by reading back and comparing
// the engine's ID, never by assuming (engine).
//
// L4. An engine that goes on with a run appends Resumed first, or Reopened if the
// run is closed, and calls no executor before that is durable (engine). One that
// goes in good order appends Detached last (engine).
//
// L5. A log on disk cuts off a last batch that was not written whole, and says
// so; any other damage is an error that names the place (log). A sync that failed
// is not tried again on the same file (log). A log that cannot append now says so
// with an error and may be able to later; nothing new is started until then
// (engine).
//
// L6. A log that is a [Locker] lets one engine at a time have a run; others get
// [ErrActive] (log). An engine that loses the run stops what does not outlive it
// (engine).
//
// L7. Read yields the records up to the last one that was durable when Read was
// called, and holds no lock while it yields, so the loop may append to the same
// log (log). An error is the last thing that is yielded (log).
//
// L8. Runs yields every run that has a record and matches the query, the one that
// was opened last first, and like Read holds no lock while it yields (log).
//
// L9. A log that is a [Pruner] removes closed runs, those that closed first before
// the others, and none that is not closed. A run that was removed is as if it had
// never been: it is [ErrNoRun], and may be opened anew (log).
package statelog
