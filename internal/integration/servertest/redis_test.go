package servertest_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/integration/servertest"
)

func TestRedisKeepsWhatWasSynced(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.AppendAlways...)
	client := redis.NewClient(server.Options())
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.NoError(t, client.Set(t.Context(), "key", "value", 0).Err())
	server.Kill(t)
	require.Error(t, client.Ping(t.Context()).Err(), "it answers after it was killed")
	server.Start(t)
	require.Equal(t, "value", client.Get(t.Context(), "key").Val())
}

func TestPausedRedisDoesNotAnswer(t *testing.T) {
	t.Parallel()
	server := servertest.StartRedis(t, servertest.InMemory...)
	o := server.Options()
	o.ReadTimeout = 100 * time.Millisecond
	o.MaxRetries = -1
	client := redis.NewClient(o)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.NoError(t, client.Ping(t.Context()).Err())
	server.Pause(t)
	require.Error(t, client.Ping(t.Context()).Err())
	server.Continue(t)
	require.NoError(t, client.Ping(t.Context()).Err())
}
