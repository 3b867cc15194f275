package sqllog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/internal/lease"
)

// A Dialect is the SQL that a database understands.
type Dialect string

// The dialects.
const (
	// Postgres is for PostgreSQL 12 or later.
	Postgres Dialect = "postgres"
	// SQLite is for SQLite 3.35 or later.
	SQLite Dialect = "sqlite"
)

// DefaultLease is how long a run is given to an engine at a time.
const DefaultLease = time.Minute

// Config says how a Log uses its database.
type Config struct {
	// Dialect of the database. Required.
	Dialect Dialect
	// Prefix begins the names of all tables and indexes: lower-case letters,
	// digits and "_", 32 at most. Logs with different prefixes have nothing in
	// common. Empty: "daggy_".
	Prefix string
	// Lease is how long a run stays with an engine that does not renew its lock.
	// A lock counts as lost after half of that, which leaves the other half for
	// work to be stopped. 0: [DefaultLease]. At least a second.
	Lease time.Duration
}

// A Log keeps the records of runs in the tables of a database. It is safe for
// concurrent use, and so are several Logs, in any number of programs, over the
// same tables.
type Log struct {
	config Config
	store  store
	sql    statements
	memory memory
	leases *lease.Keeper
}

var (
	_ statelog.StateLogger = (*Log)(nil)
	_ statelog.Locker      = (*Log)(nil)
	_ statelog.Leased      = (*Log)(nil)
	_ statelog.Pruner      = (*Log)(nil)
)

// Open returns the log in db, and makes or migrates its tables first. Several
// programs may do so at once. Tables of a newer version than this library knows
// are a [*VersionError].
//
// db stays the caller's, who closes it once the log is no longer used, and whose
// SetMaxOpenConns bounds how many runs can be appended to at once.
func Open(ctx context.Context, db *sql.DB, c Config) (*Log, error) {
	c, err := c.complete()
	if err != nil {
		return nil, fmt.Errorf("sqllog: %w", err)
	}
	l := &Log{config: c, sql: newStatements(c)}
	l.leases = lease.New(locks{l}, c.Lease, c.Lease/2)
	switch c.Dialect {
	case Postgres:
		l.store = &postgres{db: db, sql: &l.sql}
	case SQLite:
		if l.store, err = newSQLite(ctx, db, &l.sql); err != nil {
			return nil, fmt.Errorf("sqllog: %w", err)
		}
	}
	if err := l.migrate(ctx); err != nil {
		return nil, fmt.Errorf("sqllog: tables %s*: %w", c.Prefix, err)
	}
	return l, nil
}

var prefixes = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,31}$`)

// complete puts in the defaults.
func (c Config) complete() (Config, error) {
	var problems *multierror.Error
	if c.Dialect != Postgres && c.Dialect != SQLite {
		problems = multierror.Append(problems, fmt.Errorf(
			"Config.Dialect is %q, should be %q or %q", c.Dialect, Postgres, SQLite))
	}
	if c.Prefix == "" {
		c.Prefix = "daggy_"
	}
	if !prefixes.MatchString(c.Prefix) {
		problems = multierror.Append(problems, fmt.Errorf(
			"Config.Prefix is %q, should be up to 32 of a-z, 0-9 and _", c.Prefix))
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Lease < time.Second {
		problems = multierror.Append(problems, fmt.Errorf(
			"Config.Lease is %v, should be a second or more", c.Lease))
	}
	return c, problems.ErrorOrNil()
}

// Append adds recs to the run, in one statement or transaction.
//
// The error is ErrAmbiguous only if the statement was sent and its answer never
// came, or said that the server is going down. Until the Log knows more, it
// forbids such an append before it reads the run or appends to it again, so that
// an answer once read stays true.
func (l *Log) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	end, err := l.append(ctx, run, after, recs)
	if err != nil {
		return 0, fmt.Errorf("sqllog: append to run %q after %d: %w", run, after, err)
	}
	return end, nil
}

func (l *Log) append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	if err := l.settle(ctx, run); err != nil {
		return 0, err
	}
	if len(recs) == 0 || after > math.MaxInt64-uint64(len(recs)) {
		return after, l.compare(ctx, run, after)
	}
	b, err := newBatch(run, after, recs)
	if err != nil {
		return 0, err
	}
	applied, err := l.store.append(ctx, b)
	switch {
	case errors.Is(err, statelog.ErrAmbiguous):
		l.memory.doubt(b)
		return 0, err
	case err != nil:
		return 0, err
	case !applied:
		return 0, l.refusal(ctx, run, after)
	}
	l.memory.appended(b)
	return b.last, nil
}

// compare finds out whether after is the end of the run.
func (l *Log) compare(ctx context.Context, run string, after uint64) error {
	_, end, err := l.find(ctx, run)
	switch {
	case errors.Is(err, statelog.ErrNoRun) && after == 0:
		return nil
	case err != nil || end != after:
		return l.refusal(ctx, run, after)
	}
	return nil
}

// refusal says why a run cannot be appended to after that record.
func (l *Log) refusal(ctx context.Context, run string, after uint64) error {
	_, _, err := l.find(ctx, run)
	switch {
	case errors.Is(err, statelog.ErrNoRun) && after == 0:
		// Somebody removed it since it was in the way.
		return statelog.ErrFenced
	case err != nil:
		return err
	}
	l.memory.forget(run)
	return statelog.ErrFenced
}

// find returns the run's key in the tables and the number of its last record.
func (l *Log) find(ctx context.Context, run string) (id int64, end uint64, err error) {
	if err := checkText("run", run); err != nil {
		return 0, 0, err
	}
	last := l.memory.end(run) // before the query: others may append meanwhile
	rows, err := l.store.query(ctx, l.sql.find, run)
	if err != nil {
		return 0, 0, err
	}
	err = rows.one(&id, &end)
	if errors.Is(err, sql.ErrNoRows) {
		err = statelog.ErrNoRun
	}
	if end < last && (err == nil || errors.Is(err, statelog.ErrNoRun)) {
		err = fmt.Errorf("%w: it has %d of %d", statelog.ErrLogRewound, end, last)
	}
	return id, end, err
}
