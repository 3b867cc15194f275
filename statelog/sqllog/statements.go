package sqllog

import "strings"

// statements are the SQL of a log, for its dialect and prefix.
type statements struct {
	// How PostgreSQL appends, in one statement: its number of rows is 1, or 0 if
	// the run has not that end. open is for the first batch of a run, turn for one
	// that closes it or goes on with it, advance for all others.
	open, turn, advance string
	// How SQLite does the same, with several statements in a transaction.
	openRun, openTags, turnRun, advanceRun, addBatch string

	// void and voidOpening forbid an append by its token.
	void, voidOpening string

	find, page  string
	lock, renew string
	unlock      string

	// What removes a run that has closed and has not gone on since.
	pruneRun, pruneBatches, pruneTags string
}

// In these texts "{p}" is the prefix and "{now}" the database's clock, in
// milliseconds since 1970.
const (
	// A row without records is one that forbids an opening: it is as good as none.
	openRun = `
		INSERT INTO {p}runs
			(run, seq, state, opened, opened_nanos, closed, closed_nanos, tags)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (run) DO UPDATE SET
			seq = excluded.seq, state = excluded.state,
			opened = excluded.opened, opened_nanos = excluded.opened_nanos,
			closed = excluded.closed, closed_nanos = excluded.closed_nanos,
			tags = excluded.tags
		WHERE {p}runs.seq = 0 AND {p}runs.voided <> $9`
	// Most appends change the number alone: SQLite writes the indexes of all columns
	// that a statement names, whether they change or not.
	advanceRun = `UPDATE {p}runs SET seq = $3 ` + ifEnd
	turnRun    = `
		UPDATE {p}runs SET seq = $3, state = $5, closed = $6, closed_nanos = $7 ` + ifEnd
	ifEnd = `WHERE run = $1 AND seq = $2 AND voided <> $4`

	void        = `UPDATE {p}runs SET voided = $2 WHERE run = $1`
	voidOpening = `
		INSERT INTO {p}runs (run, seq, state, opened, opened_nanos, tags, voided)
		VALUES ($1, 0, '', 0, 0, '{}', $2)
		ON CONFLICT (run) DO UPDATE SET voided = excluded.voided`

	find = `SELECT id, seq FROM {p}runs WHERE run = $1 AND seq > 0`
	// As many batches as begin within so many bytes, at least one. Only sizes are
	// looked at to find the last of them.
	page = `
		SELECT first_seq, last_seq, data FROM {p}batches
		WHERE run_id = $1 AND last_seq > $2 AND last_seq <= (
			SELECT max(last_seq) FROM (
				SELECT last_seq,
					sum(length(data)) OVER (ORDER BY last_seq) - length(data) AS bytes_before
				FROM {p}batches WHERE run_id = $1 AND last_seq > $2 AND last_seq <= $3
				ORDER BY last_seq LIMIT $4
			) AS sizes WHERE bytes_before < $5
		) ORDER BY last_seq`

	// An engine that does not know whether it got its lock asks again.
	lock = `
		INSERT INTO {p}locks (run, engine, expires_ms) VALUES ($1, $2, {now} + $3)
		ON CONFLICT (run) DO UPDATE SET
			engine = excluded.engine, expires_ms = {now} + $3
		WHERE {p}locks.engine = excluded.engine OR {p}locks.expires_ms < {now}`
	renew  = `UPDATE {p}locks SET expires_ms = {now} + $3 WHERE run = $1 AND engine = $2`
	unlock = `DELETE FROM {p}locks WHERE run = $1 AND engine = $2`
)

func newStatements(c Config) statements {
	s := statements{
		void: void, voidOpening: voidOpening, find: find, page: page,
		lock: lock, renew: renew, unlock: unlock,
		pruneRun:     `DELETE FROM {p}runs WHERE id = $1 AND seq = $2 AND closed IS NOT NULL`,
		pruneBatches: `DELETE FROM {p}batches WHERE run_id = $1`,
		pruneTags:    `DELETE FROM {p}tags WHERE run_id = $1`,
	}
	if c.Dialect == Postgres {
		s.open, s.turn, s.advance = postgresOpen, postgresTurn, postgresAdvance
	} else {
		s.openRun, s.turnRun, s.advanceRun = openRun, turnRun, advanceRun
		s.openTags, s.addBatch = sqliteTags, sqliteBatch
	}
	for _, text := range s.texts() {
		*text = c.adapt(*text)
	}
	return s
}

func (s *statements) texts() []*string {
	return []*string{
		&s.open, &s.turn, &s.advance,
		&s.openRun, &s.openTags, &s.turnRun, &s.advanceRun, &s.addBatch,
		&s.void, &s.voidOpening, &s.find, &s.page, &s.lock, &s.renew, &s.unlock,
		&s.pruneRun, &s.pruneBatches, &s.pruneTags,
	}
}

// adapt puts in what differs between dialects and logs.
func (c Config) adapt(text string) string {
	text = strings.ReplaceAll(text, "{p}", c.Prefix)
	if c.Dialect == Postgres {
		return strings.ReplaceAll(text, "{now}", postgresNow)
	}
	text = strings.ReplaceAll(text, "{now}", sqliteNow)
	// In SQLite "$1" is a name, "?1" the first argument.
	return strings.ReplaceAll(text, "$", "?")
}
