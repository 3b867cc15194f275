package redislog

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeKeysSortLikeTimes(t *testing.T) {
	t.Parallel()
	times := []time.Time{
		{},
		time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999999, time.UTC),
		time.Unix(0, 0),
		time.Unix(0, 1),
		time.Date(2026, 3, 1, 12, 30, 0, 123456789, time.UTC),
		time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	var keys []string
	for _, at := range times {
		key := timeKey(at)
		keys = append(keys, key)
		back, err := parseTimeKey(key)
		require.NoError(t, err)
		require.True(t, at.Equal(back), "%v came back as %v", at, back)
		require.Equal(t, at.IsZero(), back.IsZero())
	}
	require.True(t, slices.IsSorted(keys), "%q", keys)
}

func TestWhatIsNoTimeKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"", "0", "x00000000000000000000000", "00000000000000000000000x"} {
		_, err := parseTimeKey(key)
		require.Error(t, err, "%q", key)
	}
}
