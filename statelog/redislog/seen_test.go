package redislog

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var m memory
	const runs = 5 * keepSeen
	for i := range runs {
		m.see(strconv.Itoa(i), end{seq: 1, first: "f"})
		require.Equal(t, uint64(1), m.seen("0").seq, "it is asked for all the time")
	}
	require.LessOrEqual(t, len(m.young)+len(m.aged), 2*keepSeen)
	require.Zero(t, m.seen("1"), "it was not asked for any more")
	require.Equal(t, uint64(1), m.seen(strconv.Itoa(runs-1)).seq)
}

// Answers may overtake each other.
func TestMemoryGoesOnlyForward(t *testing.T) {
	t.Parallel()
	var m memory
	m.see("run", end{seq: 5, nonce: "b", first: "f"})
	m.see("run", end{seq: 3, nonce: "a", first: "f"})
	require.Equal(t, end{seq: 5, nonce: "b", first: "f"}, m.seen("run"))
	m.see("run", end{seq: 1, nonce: "g", first: "g"})
	require.Equal(t, end{seq: 1, nonce: "g", first: "g"}, m.seen("run"), "another run of that ID")
	m.forget("run")
	require.Zero(t, m.seen("run"))
}
