package redislog_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
	"github.com/daggy-go/daggy/statelog/statelogtest"
)

// Every check has a log of its own, all in one server.
func conforms(t *testing.T, c redis.UniversalClient, config redislog.Config) {
	t.Helper()
	var logs atomic.Int32
	statelogtest.Run(t, statelogtest.Config{
		New: func(tb testing.TB) statelog.StateLogger {
			tb.Helper()
			config := config
			config.Prefix = fmt.Sprintf("log%d", logs.Add(1))
			return open(tb, c, config)
		},
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.AppendEverySecond...)
	conforms(t, client(t, server.Options()), redislog.Config{})
}

func TestConformanceWithReplica(t *testing.T) {
	t.Parallel()
	server, _ := replicated(t)
	c, config := patient(t, server)
	conforms(t, c, config)
}

func TestConformanceInCluster(t *testing.T) {
	t.Parallel()
	conforms(t, cluster(t), redislog.Config{})
}

// cluster returns a client of a cluster of one server.
func cluster(t *testing.T) *redis.ClusterClient {
	t.Helper()
	server := servertest.StartRedis(t, "--cluster-enabled", "yes",
		"--bind", "127.0.0.1", "--cluster-port", freePort(t))
	one := client(t, server.Options())
	require.NoError(t, one.ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	c := redis.NewClusterClient(&redis.ClusterOptions{
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			node := redis.ClusterNode{Addr: server.Socket()}
			return []redis.ClusterSlot{{End: 16383, Nodes: []redis.ClusterNode{node}}}, nil
		},
		Dialer: func(ctx context.Context, _, addr string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", addr)
		},
	})
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	require.Eventually(t, func() bool {
		state := c.ClusterInfo(t.Context()).Val()
		return strings.Contains(state, "cluster_state:ok")
	}, 30*time.Second, 10*time.Millisecond)
	return c
}
