package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // driver "sqlite"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
	"github.com/daggy-go/daggy/statelog/redislog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// openLog opens the log that where names. done lets go of it.
func openLog(ctx context.Context, where string) (
	log statelog.StateLogger, done func() error, err error,
) {
	scheme, rest, _ := strings.Cut(where, ":")
	switch scheme {
	case "postgres", "postgresql":
		return openSQL(ctx, "pgx", where, sqllog.Postgres)
	case "sqlite":
		// Commits are synced, and whoever finds the database busy waits.
		pragmas := url.Values{"_pragma": {
			"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)",
		}}
		source := "file:" + url.PathEscape(rest) + "?" + pragmas.Encode()
		return openSQL(ctx, "sqlite", source, sqllog.SQLite)
	case "redis", "rediss", "unix":
		return openRedis(where)
	}
	files, err := filelog.Open(ctx, where, filelog.Config{})
	if err != nil {
		return nil, nil, err
	}
	return files, files.Close, nil
}

func openSQL(ctx context.Context, driver, source string, dialect sqllog.Dialect) (
	statelog.StateLogger, func() error, error,
) {
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, nil, err
	}
	log, err := sqllog.Open(ctx, db, sqllog.Config{Dialect: dialect})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return log, db.Close, nil
}

func openRedis(where string) (statelog.StateLogger, func() error, error) {
	o, err := redis.ParseURL(where)
	if err != nil {
		return nil, nil, fmt.Errorf("-log: %w", err)
	}
	client := redis.NewClient(o)
	log, err := redislog.New(client, redislog.Config{})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return log, func() error { return errors.Join(log.Close(), client.Close()) }, nil
}
