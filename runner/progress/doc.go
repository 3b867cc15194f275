// Package progress shows on a terminal, or in a log, how runs fare.
//
//	display := progress.New(os.Stderr, progress.Config{})
//	defer display.Close()
//	r := runner.Runner{Observers: []runner.Observer{display.Observer()}}
//	report, err := r.Run(ctx, d)
//
// On a terminal there is one live block, drawn ten times a second: a bar, how
// many instances are in which state, the rate and the time that is left, what
// runs now, the longest first, and what failed last and why:
//
//	 12% [=====>--------------------------------]  1234/10000  120/s  ETA 1m12s
//	1200 completed, 30 running, 8766 waiting, 4 failed  (10.3s)
//	> 4m10s  build_3
//	> 12s  build_9  attempt 2
//	> and 28 more
//	! test_17: failure (exit 3): no such file
//	~ push_2: failure (exit 1), again in 1h0m
//
// A "!" is a failure for good, a "~" one that will be tried again, and the bar
// starts with an x for what did not complete. Where the output is no terminal, a
// line is written now and then and one at the end, without any control
// characters, which suits a log.
//
// # Several runs
//
// A Display may observe any number of runs, of any number of Runners. Runs that
// overlap are shown together, added up, in one block. When the last of them is
// over, the block is drawn for the last time and left where it is; the next run
// begins another one below.
//
// # Guarantees
//
//   - Runs are not held up: the observer's functions take constant time and never
//     wait for the output. Numbers are those of the run at the moment of drawing,
//     so generated tasks count as soon as they exist.
//   - Names, reasons and all else that users give is escaped: no control
//     character and no invisible one gets through, and no line break.
//   - When no run is active the Display has no goroutine. [Display.Close] ends
//     those that there are and waits for them.
//
// # Limits
//
//   - Nothing else should write to the terminal while a block is drawn: what it
//     writes would be overwritten. Call [Display.Wait] or [Display.Close] first.
//   - The attempts shown as running, and how long they have been, come from the
//     log. With a log that records intents ahead of free slots (L2) an attempt is
//     listed, until its executor reports on it, since its intent. When more than
//     65,536 run at once, some are not listed.
//   - The time left is a guess: what remains at the rate of the last minute.
//   - A writer that blocks holds up the drawing, Wait and Close, but no run.
package progress
