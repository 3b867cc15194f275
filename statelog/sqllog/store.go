package sqllog

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/statelog"
)

// A store is what differs between databases.
type store interface {
	// append adds a batch, or reports false if the run does not end where the
	// batch begins. The error is ErrAmbiguous if the batch may have been added.
	append(ctx context.Context, b *batch) (applied bool, err error)
	// exec runs a statement that changes something and returns how many rows it
	// changed.
	exec(ctx context.Context, query string, args ...any) (int64, error)
	// transact runs f in a transaction. Nothing of it stays if f fails.
	transact(ctx context.Context, f func(ctx context.Context, tx session) error) error
	// query runs a statement that changes nothing. The rows hold a connection
	// until they are closed.
	query(ctx context.Context, query string, args ...any) (*rows, error)
}

// A session is a connection or a transaction.
type session interface {
	execer
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// rows are the rows of a query, with what has to be closed after them.
type rows struct {
	*sql.Rows
	conn *sql.Conn // nil: the rows have it
}

func (r *rows) close() error {
	err := r.Close()
	if r.conn != nil {
		err = errors.Join(err, r.conn.Close())
	}
	return err
}

// one scans the only row and closes the rows. Without a row it is sql.ErrNoRows.
func (r *rows) one(into ...any) error {
	err := sql.ErrNoRows
	if r.Next() {
		err = r.Scan(into...)
	} else if r.Err() != nil {
		err = r.Err()
	}
	return errors.Join(err, r.close())
}

// execOn returns how many rows a statement changed.
func execOn(ctx context.Context, on execer, query string, args ...any) (int64, error) {
	result, err := on.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// maxStale is how many connections that turn out to be gone before anything was
// sent are tried in a row. A pool is full of them after a server was restarted.
const maxStale = 64

// send runs a statement that must not be run twice. Its error is ErrAmbiguous
// unless it is certain that nothing was changed.
func send(ctx context.Context, db *sql.DB, query string, args ...any) (int64, error) {
	for range maxStale {
		conn, err := db.Conn(ctx)
		if err != nil {
			return 0, err
		}
		n, err := execOn(ctx, conn, query, args...)
		// Whether the connection can be used again does not change the outcome.
		_ = conn.Close()
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, driver.ErrBadConn):
			continue // by definition it was not sent
		case refused(err):
			return 0, err
		}
		return 0, fmt.Errorf("%w: %w", statelog.ErrAmbiguous, err)
	}
	return 0, fmt.Errorf("%d connections in a row: %w", maxStale, driver.ErrBadConn)
}
