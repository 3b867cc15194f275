package servertest

import (
	"context"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// Redis is a private, empty Redis server. Pause stops it where it is and
// Continue has it go on.
type Redis struct {
	dir  string
	bin  string
	args []string
	*process
}

// Ways to keep what a Redis server has, for [StartRedis].
var (
	// AppendAlways syncs every command before it is answered.
	AppendAlways = []string{"--appendonly", "yes", "--appendfsync", "always"}
	// AppendEverySecond syncs once a second. What the last second brought can be
	// lost with the machine, and with a server that is killed while it syncs.
	AppendEverySecond = []string{"--appendonly", "yes", "--appendfsync", "everysec"}
	// InMemory keeps nothing.
	InMemory = []string{"--appendonly", "no"}
)

// StartRedis starts a server with these settings that is stopped and removed with
// the test.
func StartRedis(tb testing.TB, settings ...string) *Redis {
	tb.Helper()
	bin := program(tb, "redis-server", "/usr/bin/redis-server")
	r := &Redis{dir: directory(tb, nil), bin: bin, args: settings}
	tb.Cleanup(func() { r.Kill(tb) })
	r.Start(tb)
	return r
}

// Dir is the server's directory, where its files are.
func (r *Redis) Dir() string { return r.dir }

// Socket is the socket by which clients find the server.
func (r *Redis) Socket() string { return filepath.Join(r.dir, "socket") }

// Options are a client's, with the defaults of go-redis.
func (r *Redis) Options() *redis.Options {
	return &redis.Options{Network: "unix", Addr: r.Socket()}
}

// Start starts the server over the data that it has, and waits until it answers.
func (r *Redis) Start(tb testing.TB) {
	tb.Helper()
	args := append([]string{
		"--port", "0", "--unixsocket", r.Socket(), "--dir", r.dir, "--save", "",
	}, r.args...)
	// Not CommandContext: the server outlives the test's context, for what the
	// test cleans up.
	cmd := exec.Command(r.bin, args...)
	prepare(cmd, r.dir, nil)
	log := filepath.Join(r.dir, "log")
	r.process = start(tb, cmd, log)
	client := redis.NewClient(r.Options())
	r.await(tb, log, func(ctx context.Context) error { return client.Ping(ctx).Err() })
	require.NoError(tb, client.Close())
}

// Stop has the server write what it has and end.
func (r *Redis) Stop(tb testing.TB) {
	tb.Helper()
	r.stop(tb, syscall.SIGTERM)
}

// Kill stops the server at once, as a crash does.
func (r *Redis) Kill(tb testing.TB) {
	tb.Helper()
	r.stop(tb, syscall.SIGKILL)
}
