package sqllog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

const (
	sqliteNow = `CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)`

	sqliteTags = `
		INSERT INTO {p}tags (run_id, name, value)
		SELECT r.id, t.key, t.value FROM {p}runs AS r, json_each(r.tags) AS t
		WHERE r.run = $1`
	sqliteBatch = `
		INSERT INTO {p}batches (run_id, first_seq, last_seq, data)
		SELECT id, $2, $3, $4 FROM {p}runs WHERE run = $1`

	// busyTimeout is how long to wait for other programs that write, in
	// milliseconds, unless the program has said so itself.
	busyTimeout = 5000
)

// sqlite is a store in SQLite. A database has one writer at a time, and a commit
// takes as long as a sync, so appends that wait for their turn are added by
// whoever has it, in one transaction.
type sqlite struct {
	db  *sql.DB
	sql *statements
	// hasty: the program has not said how long connections wait for others.
	hasty bool
	// turn has a token for whoever writes.
	turn chan struct{}

	// mu guards queue: the appends that wait.
	mu    sync.Mutex
	queue []*queued
}

// A queued append. The fields below done are set before it is closed.
type queued struct {
	batch   *batch
	done    chan struct{}
	applied bool
	err     error
}

func newSQLite(ctx context.Context, db *sql.DB, s *statements) (*sqlite, error) {
	var timeout int
	deadline := time.Now().Add(busyTimeout * time.Millisecond)
	for {
		err := db.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&timeout)
		if !isBusy(err) || time.Now().After(deadline) {
			return &sqlite{
				db: db, sql: s, hasty: timeout == 0, turn: make(chan struct{}, 1),
			}, err
		}
		// The connection is new, and sets the journal mode of a new file just when
		// another does: for that SQLite does not wait.
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// busyPause is how long to wait before a connection is made again.
const busyPause = 10 * time.Millisecond

// isBusy reports whether SQLite said SQLITE_BUSY, as far as the driver tells codes.
func isBusy(err error) bool {
	coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err)
	return ok && coded.Code()&0xff == 5
}

func (s *sqlite) append(ctx context.Context, b *batch) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	q := &queued{batch: b, done: make(chan struct{})}
	s.mu.Lock()
	s.queue = append(s.queue, q)
	s.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
		s.writeQueue(context.WithoutCancel(ctx))
		<-s.turn
	case <-q.done:
	case <-ctx.Done():
		if s.withdraw(q) {
			return false, context.Cause(ctx)
		}
	}
	// Somebody has it in hand, or had.
	<-q.done
	return q.applied, q.err
}

// withdraw reports whether the append was still waiting, and takes it out.
func (s *sqlite) withdraw(q *queued) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, other := range s.queue {
		if other == q {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			return true
		}
	}
	return false
}

// writeQueue adds all appends that wait. It is the caller's turn.
func (s *sqlite) writeQueue(ctx context.Context) {
	s.mu.Lock()
	group := s.queue
	s.queue = nil
	s.mu.Unlock()
	if len(group) == 0 {
		return
	}
	err := s.write(ctx, func(ctx context.Context, conn *sql.Conn) error {
		return s.addAll(ctx, conn, group)
	})
	for _, q := range group {
		q.err = err
		q.applied = q.applied && err == nil
		close(q.done)
	}
}

// addAll adds a group. Those that are refused change nothing.
func (s *sqlite) addAll(ctx context.Context, conn *sql.Conn, group []*queued) error {
	p := prepared{conn: conn, stmts: make(map[string]*sql.Stmt)}
	for _, q := range group {
		if err := s.add(ctx, p, q); err != nil {
			return errors.Join(err, p.close())
		}
	}
	return p.close()
}

func (s *sqlite) add(ctx context.Context, p prepared, q *queued) error {
	b := q.batch
	query := s.sql.advanceRun
	switch {
	case b.after == 0:
		query = s.sql.openRun
	case b.state != "":
		query = s.sql.turnRun
	}
	n, err := p.exec(ctx, query, b.runArgs()...)
	if err != nil || n == 0 {
		return err
	}
	q.applied = true
	if b.after == 0 {
		if _, err := p.exec(ctx, s.sql.openTags, b.run); err != nil {
			return err
		}
	}
	_, err = p.exec(ctx, s.sql.addBatch, b.run, int64(b.after)+1, int64(b.last), b.data)
	return err
}

func (s *sqlite) exec(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = s.transact(ctx, func(ctx context.Context, tx session) error {
		n, err = execOn(ctx, tx, query, args...)
		return err
	})
	return n, err
}

func (s *sqlite) transact(
	ctx context.Context, f func(ctx context.Context, tx session) error,
) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.write(ctx, func(ctx context.Context, conn *sql.Conn) error {
		return f(ctx, conn)
	})
}

// write runs f in a transaction that may write from its start, so that it cannot
// find later that somebody else wrote meanwhile. It is the caller's turn.
func (s *sqlite) write(
	ctx context.Context, f func(ctx context.Context, conn *sql.Conn) error,
) (err error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // it only goes back to the pool
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	// What has begun is brought to an end, or the connection would be of no use.
	ended := context.WithoutCancel(ctx)
	if err := f(ctx, conn); err != nil {
		if _, rollback := conn.ExecContext(ended, "ROLLBACK"); rollback != nil {
			// After some errors SQLite has rolled back already. Whatever it is, a
			// connection that is closed commits nothing.
			discard(conn)
		}
		return err
	}
	if _, err = conn.ExecContext(ended, "COMMIT"); err == nil {
		return nil
	}
	if _, rollback := conn.ExecContext(ended, "ROLLBACK"); rollback == nil {
		return err
	}
	discard(conn)
	return fmt.Errorf("%w: %w", statelog.ErrAmbiguous, err)
}

// discard has a connection closed instead of being used again.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}

// connect returns a connection that waits for other writers for a while.
func (s *sqlite) connect(ctx context.Context) (*sql.Conn, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil || !s.hasty {
		return conn, err
	}
	_, err = conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout))
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (s *sqlite) query(ctx context.Context, query string, args ...any) (*rows, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	r, err := conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &rows{Rows: r, conn: conn}, nil
}

// prepared are statements that are prepared once in a transaction.
type prepared struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (p prepared) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt := p.stmts[query]
	if stmt == nil {
		var err error
		if stmt, err = p.conn.PrepareContext(ctx, query); err != nil {
			return 0, err
		}
		p.stmts[query] = stmt
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (p prepared) close() error {
	var err error
	for _, stmt := range p.stmts {
		err = errors.Join(err, stmt.Close())
	}
	return err
}
