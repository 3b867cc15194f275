package redislog_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
)

// replicated returns a server and a replica that is up to date.
func replicated(t *testing.T) (server, replica *servertest.Redis) {
	t.Helper()
	port := freePort(t)
	server = servertest.StartRedis(t, "--bind", "127.0.0.1", "--port", port,
		"--repl-diskless-sync-delay", "0")
	replica = servertest.StartRedis(t, "--replicaof", "127.0.0.1 "+port)
	c := client(t, replica.Options())
	require.Eventually(t, func() bool {
		return strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:up")
	}, 30*time.Second, 10*time.Millisecond)
	return server, replica
}

// freePort returns a port that nothing listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
