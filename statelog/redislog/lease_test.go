package redislog_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog/redislog"
)

// answers are what a client answers in place of a server, in virtual time.
type answers func(cmd redis.Cmder) error

func (a answers) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error { return a(cmd) }
}
func (answers) DialHook(next redis.DialHook) redis.DialHook { return next }
func (answers) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// What leases do in time is tested in package lease.
func TestLockIsLostAfterTwoThirdsOfItsLease(t *testing.T) {
	t.Parallel()
	// It looks for its server when it is made, outside the bubble.
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: "none"})
	synctest.Test(t, func(t *testing.T) {
		const lease = 30 * time.Second
		start, away := time.Now(), false
		client.AddHook(answers(func(cmd redis.Cmder) error {
			if away {
				return errors.New("away")
			}
			away = true
			cmd.(*redis.Cmd).SetVal([]any{"ok"})
			return nil
		}))
		log, err := redislog.New(client, redislog.Config{Lease: lease})
		require.NoError(t, err)
		release, err := log.Lock(t.Context(), "run", "engine")
		require.NoError(t, err)
		lost := make(chan time.Duration)
		log.OnLost("run", "engine", func() { lost <- time.Since(start) })
		require.Equal(t, lease*2/3, <-lost)
		require.NoError(t, release())
		require.NoError(t, log.Close())
	})
	require.NoError(t, client.Close())
}
