package sqllog

import (
	"context"
	"database/sql"
	"errors"
)

const (
	postgresNow = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`

	postgresOpen = `
		WITH opened AS (` + openRun + ` RETURNING id),
		tagged AS (
			INSERT INTO {p}tags (run_id, name, value)
			SELECT id, key, value FROM opened, jsonb_each_text($8)
		)
		INSERT INTO {p}batches (run_id, first_seq, last_seq, data)
		SELECT id, 1, $2, $10 FROM opened`
	postgresTurn = `
		WITH turned AS (` + turnRun + ` RETURNING id)
		INSERT INTO {p}batches (run_id, first_seq, last_seq, data)
		SELECT id, $2 + 1, $3, $8 FROM turned`
	postgresAdvance = `
		WITH advanced AS (` + advanceRun + ` RETURNING id)
		INSERT INTO {p}batches (run_id, first_seq, last_seq, data)
		SELECT id, $2 + 1, $3, $5 FROM advanced`
)

// postgres is a store in PostgreSQL. The row of a run is locked by whoever
// appends to it; of two that go on from the same record the second finds, once
// it has the lock, that the number is another.
//
// The server merges the commits of many runs into one sync by itself.
type postgres struct {
	db  *sql.DB
	sql *statements
}

func (s *postgres) append(ctx context.Context, b *batch) (bool, error) {
	query := s.sql.advance
	switch {
	case b.after == 0:
		query = s.sql.open
	case b.state != "":
		query = s.sql.turn
	}
	n, err := send(ctx, s.db, query, append(b.runArgs(), b.data)...)
	return n > 0, err
}

func (s *postgres) exec(ctx context.Context, query string, args ...any) (int64, error) {
	return execOn(ctx, s.db, query, args...)
}

func (s *postgres) transact(
	ctx context.Context, f func(ctx context.Context, tx session) error,
) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (s *postgres) query(ctx context.Context, query string, args ...any) (*rows, error) {
	r, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return &rows{Rows: r}, nil
}
