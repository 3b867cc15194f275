// Package servertest starts servers for tests: private ones, each with a
// directory of its own, reached through a socket in it, and stopped by process
// id when the test is over.
//
//	pg := servertest.StartPostgres(t)
//	db, err := sql.Open("pgx", pg.DSN())
//
// The programs come from Debian's packages. Where one is missing it is installed
// if root runs the test; otherwise the test fails and says what to install.
//
// A server can be killed, paused and started again in the middle of a test, over
// the same data.
package servertest
