// Package sqllog keeps the records of runs in the tables of a PostgreSQL or
// SQLite database, through database/sql. The program brings the driver:
//
//	db, err := sql.Open("pgx", "postgres://localhost/jobs")
//	if err != nil {
//		return err
//	}
//	log, err := sqllog.Open(ctx, db, sqllog.Config{Dialect: sqllog.Postgres})
//	if err != nil {
//		return err
//	}
//	r := runner.Runner{Log: log}
//
// It keeps all rules of package statelog. SCHEMA.md draws the tables, and has
// queries for people; [Open] makes and migrates them.
//
// # What is durable
//
// Records are durable when the database has committed them, which means what the
// database was told that it means. PostgreSQL syncs commits unless
// synchronous_commit is off. SQLite syncs them if synchronous is FULL. A good way
// to open it with modernc.org/sqlite is
//
//	file:log.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)
//
// A database that loses what it has committed, because it was restored, failed
// over or not told to sync, is found out by the Log that appended it: from then on
// the run is [statelog.ErrLogRewound]. A Log that was opened afterwards cannot
// know.
//
// # Appending
//
// An append of any size is one row, added together with the run's new number by
// one statement, or by one transaction in SQLite. PostgreSQL merges the syncs of
// many runs by itself; in SQLite, whose database has one writer at a time, the
// appends that wait for it go into one transaction.
//
// A database that is away is an error like any other: nothing was appended, and
// the same may be tried again. Only a statement that was sent and not answered is
// [statelog.ErrAmbiguous]. Before the run is looked at again, such an append is
// either found or forbidden for good, so that one that lingers in a server that
// stands still cannot turn up later.
//
// # Locks
//
// A run belongs to one engine for a time, [Config.Lease], by the clock of the
// database, and the Log renews that in the background until it is released. If the
// clock is set forward, another engine may have the run too early: then the first
// of them to append fences the other. A SQLite database has the clock of the
// machine.
//
// # Limits
//
// An Append has 256 MiB of records at most. IDs, states and tags are texts without
// NUL. A SQLite database in memory has one for each connection; use a file.
package sqllog
