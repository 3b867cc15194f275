package sqllog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fakeServer is a database whose answers a test decides.
type fakeServer struct {
	// mu guards the fields below.
	mu sync.Mutex
	// connect and exec may fail. Nil: they succeed.
	connect func() error
	exec    func(ctx context.Context, query string, args []any) (rows int64, err error)
	query   func(query string, args []any) ([]driver.Value, error)
	// sent are the beginnings of the statements that arrived.
	sent []string
}

// newFakeLog opens a log on a fake server, in PostgreSQL's dialect unless c has
// another.
func newFakeLog(t *testing.T, s *fakeServer, c Config) *Log {
	t.Helper()
	db := sql.OpenDB(fakeConnector{s})
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	if c.Dialect == "" {
		c.Dialect = Postgres
	}
	s.query = func(string, []any) ([]driver.Value, error) {
		return []driver.Value{int64(SchemaVersion)}, nil
	}
	l, err := Open(t.Context(), db, c)
	require.NoError(t, err)
	s.query, s.sent = nil, nil
	return l
}

// on changes the answers while the log is in use.
func (s *fakeServer) on(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *fakeServer) statements() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sent)
}

func (s *fakeServer) note(query string) {
	words := strings.Fields(query)
	s.sent = append(s.sent, strings.Join(words[:min(len(words), 2)], " "))
}

type fakeConnector struct{ server *fakeServer }

func (c fakeConnector) Connect(context.Context) (driver.Conn, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if c.server.connect != nil {
		if err := c.server.connect(); err != nil {
			return nil, err
		}
	}
	return fakeConn(c), nil
}

func (c fakeConnector) Driver() driver.Driver { return nil }

type fakeConn struct{ server *fakeServer }

func (c fakeConn) Prepare(query string) (driver.Stmt, error) { return fakeStmt{c, query}, nil }
func (c fakeConn) Begin() (driver.Tx, error)                 { return nil, errors.New("no Begin") }
func (c fakeConn) Close() error                              { return nil }

func (c fakeConn) ExecContext(
	ctx context.Context, query string, args []driver.NamedValue,
) (driver.Result, error) {
	c.server.mu.Lock()
	c.server.note(query)
	exec := c.server.exec
	c.server.mu.Unlock()
	if exec == nil {
		return driver.RowsAffected(1), nil
	}
	n, err := exec(ctx, query, values(args))
	return driver.RowsAffected(n), err
}

func (c fakeConn) QueryContext(
	_ context.Context, query string, args []driver.NamedValue,
) (driver.Rows, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.note(query)
	if c.server.query == nil {
		return &fakeRows{}, nil
	}
	row, err := c.server.query(query, values(args))
	return &fakeRows{row: row}, err
}

type fakeStmt struct {
	conn  fakeConn
	query string
}

func (s fakeStmt) Close() error  { return nil }
func (s fakeStmt) NumInput() int { return -1 }

func (s fakeStmt) ExecContext(
	ctx context.Context, args []driver.NamedValue,
) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s fakeStmt) Exec([]driver.Value) (driver.Result, error) { return nil, errors.New("no ctx") }
func (s fakeStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.New("no ctx") }

func values(args []driver.NamedValue) []any {
	var plain []any
	for _, arg := range args {
		plain = append(plain, arg.Value)
	}
	return plain
}

// fakeRows has one row, or none.
type fakeRows struct{ row []driver.Value }

func (r *fakeRows) Columns() []string { return make([]string, len(r.row)) }
func (r *fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.row) == 0 {
		return io.EOF
	}
	copy(dest, r.row)
	r.row = nil
	return nil
}
