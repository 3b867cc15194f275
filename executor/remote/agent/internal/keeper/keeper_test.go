package keeper

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBook(t *testing.T) {
	t.Parallel()
	b := newBook()
	for _, line := range []string{
		watchLine("k1", lease{session: "s", length: 10 * time.Second, contact: time.Second}),
		watchLine("k2", lease{session: "s", length: 20 * time.Second, contact: time.Second}),
		watchLine("k3", lease{session: "other", length: 5 * time.Second, contact: time.Second}),
		"w k4 cut", "", "h", "d", "nonsense",
	} {
		b.take(line)
	}
	keys, next := b.over(6 * time.Second)
	require.Empty(t, keys)
	require.Equal(t, 6*time.Second+Slack, next)
	keys, next = b.over(6*time.Second + Slack)
	require.Equal(t, []string{"k3"}, keys)
	require.Equal(t, 11*time.Second+Slack, next)
	b.take(hearLine("s", 5*time.Second))
	b.take(hearLine("s", 4*time.Second)) // late
	keys, next = b.over(14*time.Second + Slack)
	require.Empty(t, keys, "k3 is being ended, k1 was renewed")
	require.Equal(t, 15*time.Second+Slack, next)
	b.take(doneLine("k1"))
	_, next = b.over(14 * time.Second)
	require.Equal(t, 25*time.Second+Slack, next)
	keys, next = b.over(time.Hour)
	require.Equal(t, []string{"k2"}, keys)
	require.Zero(t, next)
}

// A lease that is longer than can be counted is one for ever, as to the daemon.
func TestLongLease(t *testing.T) {
	t.Parallel()
	b := newBook()
	b.take(watchLine("k", lease{session: "s", length: 1<<63 - 1, contact: time.Second}))
	keys, next := b.over(time.Minute)
	require.Empty(t, keys)
	require.Zero(t, next)
}

func FuzzTake(f *testing.F) {
	f.Add("w k s 1 2")
	f.Add("h s 1")
	f.Add("d k")
	f.Fuzz(func(_ *testing.T, line string) { newBook().take(line) })
}
