// Package redislog_test tests redislog against real servers.
package redislog_test

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/statelog/redislog"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // it tells of every dial that fails
	goleak.VerifyTestMain(m)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// client returns a client that is closed with the test.
func client(tb testing.TB, o *redis.Options) *redis.Client {
	tb.Helper()
	c := redis.NewClient(o)
	tb.Cleanup(func() { require.NoError(tb, c.Close()) })
	return c
}

// open returns a log that is closed with the test.
func open(tb testing.TB, c redis.UniversalClient, config redislog.Config) *redislog.Log {
	tb.Helper()
	log, err := redislog.New(c, config)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, log.Close()) })
	return log
}
