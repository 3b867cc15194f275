package redislog_test

import (
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog/redislog"
)

func TestUnsuitedClients(t *testing.T) {
	t.Parallel()
	cluster := func(o redis.ClusterOptions) redis.UniversalClient {
		o.Addrs = []string{"127.0.0.1:1"}
		return redis.NewClusterClient(&o)
	}
	for name, tc := range map[string]struct {
		client redis.UniversalClient
		config redislog.Config
	}{
		"ring": {client: redis.NewRing(&redis.RingOptions{
			Addrs: map[string]string{"a": "127.0.0.1:1"}, HeartbeatFrequency: time.Hour,
		})},
		"cluster that reads from replicas": {client: cluster(redis.ClusterOptions{ReadOnly: true})},
		"cluster that reads from the next": {
			client: cluster(redis.ClusterOptions{RouteByLatency: true}),
		},
		"cluster and replicas": {
			client: cluster(redis.ClusterOptions{}), config: redislog.Config{Replicas: 1},
		},
		"impatient client": {
			client: redis.NewClient(&redis.Options{ReadTimeout: time.Second}),
			config: redislog.Config{Replicas: 1, ReplicaTimeout: time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() { require.NoError(t, tc.client.Close()) }()
			_, err := redislog.New(tc.client, tc.config)
			require.ErrorIs(t, err, redislog.ErrUnsuited)
		})
	}
	_, err := redislog.New(nil, redislog.Config{})
	require.ErrorIs(t, err, redislog.ErrUnsuited)
}

func TestEveryProblemOfAConfigIsReported(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	_, err := redislog.New(client, redislog.Config{
		Prefix: "{a}", Lease: time.Millisecond, Replicas: -1, ReplicaTimeout: -1,
	})
	var found *multierror.Error
	require.ErrorAs(t, err, &found)
	require.Len(t, found.Errors, 4)
}
