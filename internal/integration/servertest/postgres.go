package servertest

import (
	"context"
	"database/sql"
	"net/url"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
)

// Postgres is a private PostgreSQL server with one empty database. It syncs its
// commits to disk, as servers do that people rely on. Pause stops it where it is
// and Continue has it go on.
type Postgres struct {
	dir string
	bin string
	who *syscall.Credential
	*process
}

// StartPostgres starts a server that is stopped and removed with the test.
func StartPostgres(tb testing.TB) *Postgres {
	tb.Helper()
	postgres := program(tb, "postgresql", "/usr/lib/postgresql/*/bin/postgres")
	who := nobody(tb)
	pg := &Postgres{dir: directory(tb, who), bin: filepath.Dir(postgres), who: who}
	command(tb, pg.dir, who, filepath.Join(pg.bin, "initdb"), "-D", filepath.Join(pg.dir, "data"),
		"-U", "daggy", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	tb.Cleanup(func() { pg.Kill(tb) })
	pg.Start(tb)
	return pg
}

// DSN is the data source name by which the driver finds the server, through the
// socket in its directory.
func (pg *Postgres) DSN() string {
	return "host=" + pg.dir + " user=daggy dbname=postgres"
}

// URL says the same in the form of a URL.
func (pg *Postgres) URL() string {
	return "postgres://daggy@/postgres?host=" + url.QueryEscape(pg.dir)
}

// Open returns connections to the server, which are closed with the test.
func (pg *Postgres) Open(tb testing.TB) *sql.DB {
	tb.Helper()
	db, err := sql.Open("pgx", pg.DSN())
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	return db
}

// Start starts the server over the data that it has, and waits until it answers.
func (pg *Postgres) Start(tb testing.TB) {
	tb.Helper()
	// Not CommandContext: the server outlives the test's context, for what the
	// test cleans up.
	cmd := exec.Command(filepath.Join(pg.bin, "postgres"), "-D", filepath.Join(pg.dir, "data"),
		"-c", "listen_addresses=", "-c", "unix_socket_directories="+pg.dir,
		"-c", "max_connections=400") // tests that run in parallel share it
	prepare(cmd, pg.dir, pg.who)
	log := filepath.Join(pg.dir, "log")
	pg.process = start(tb, cmd, log)
	db, err := sql.Open("pgx", pg.DSN())
	require.NoError(tb, err)
	pg.await(tb, log, func(ctx context.Context) error { return db.PingContext(ctx) })
	require.NoError(tb, db.Close())
}

// Stop ends all connections and stops the server in good order.
func (pg *Postgres) Stop(tb testing.TB) {
	tb.Helper()
	pg.stop(tb, syscall.SIGINT)
}

// Kill stops the server at once, as "pg_ctl stop -m immediate" does. It has to
// recover from its write-ahead log when it is started again.
func (pg *Postgres) Kill(tb testing.TB) {
	tb.Helper()
	pg.stop(tb, syscall.SIGQUIT)
}
