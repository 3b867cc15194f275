package redislog_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
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

// patient returns a client and the settings of a log that wait for a replica on a
// busy machine.
func patient(t *testing.T, server *servertest.Redis) (*redis.Client, redislog.Config) {
	t.Helper()
	o := server.Options()
	o.ReadTimeout = time.Minute
	return client(t, o), redislog.Config{
		Replicas: 1, ReplicaTimeout: 30 * time.Second, NoDocuments: true,
	}
}

// freePort returns a port that nothing listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// What is on the server alone is not acknowledged.
func TestReplicasHaveWhatIsAcknowledged(t *testing.T) {
	t.Parallel()
	server, replica := replicated(t)
	c, config := patient(t, server)
	log := open(t, c, config)
	fill(t, log, "run", 0, 2)
	replica.Pause(t)
	config.ReplicaTimeout = 100 * time.Millisecond
	hasty := open(t, c, config)
	_, err := hasty.Append(t.Context(), "run", 2, []statelog.Record{task(2)})
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	_, err = tasksOf(t.Context(), hasty, "run")
	require.Error(t, err, "what is not durable is read")
	replica.Continue(t)
	tasks, err := tasksOf(t.Context(), log, "run")
	require.NoError(t, err)
	require.Equal(t, []int{0, 1, 2}, tasks, "it arrived there after all")
	fill(t, log, "run", 3, 1)
}

// A replica takes over that had not heard of the last records.
func TestFailoverThatLosesRecordsIsNoticed(t *testing.T) {
	t.Parallel()
	server, replica := replicated(t)
	var socket atomic.Value
	socket.Store(server.Socket())
	c := client(t, &redis.Options{
		ReadTimeout: time.Minute,
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket.Load().(string))
		},
	})
	waits := open(t, c, redislog.Config{
		Replicas: 1, ReplicaTimeout: 30 * time.Second, NoDocuments: true,
	})
	log := open(t, c, redislog.Config{NoDocuments: true})
	fill(t, waits, "safe", 0, 2)
	promoted := client(t, replica.Options())
	require.NoError(t, promoted.ReplicaOf(t.Context(), "NO", "ONE").Err())
	fill(t, log, "run", 0, 2)
	server.Kill(t)
	socket.Store(replica.Socket())

	rewound(t, log, "run", 2)
	tasks, err := tasksOf(t.Context(), log, "safe")
	require.NoError(t, err)
	require.Equal(t, []int{0, 1}, tasks, "what a replica had to have")
}
