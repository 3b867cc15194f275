package redislog_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog/redislog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect returns a client of a server of its own.
func connect(tb testing.TB) (*miniredis.Miniredis, *redis.Client) {
	tb.Helper()
	server := miniredis.RunT(tb)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	tb.Cleanup(func() { require.NoError(tb, client.Close()) })
	return server, client
}

// open returns a log that is closed when the test is over.
func open(tb testing.TB, client redis.UniversalClient, c redislog.Config) *redislog.Log {
	tb.Helper()
	log, err := redislog.New(client, c)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, log.Close()) })
	return log
}
