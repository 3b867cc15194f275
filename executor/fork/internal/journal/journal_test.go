package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/journal"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

var boot = journal.Boot{ID: "boot-1", Host: "host"}

func open(tb testing.TB, dir string) *journal.Journal {
	tb.Helper()
	j, err := journal.Open(dir, boot)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = j.Close() })
	return j
}

func reopen(tb testing.TB, j *journal.Journal, dir string) *journal.Journal {
	tb.Helper()
	require.NoError(tb, j.Close())
	return open(tb, dir)
}

func exit(code int, stdout string) []byte {
	o := wire.Outcome{
		Result:  executor.Result{ExitCode: code},
		Streams: [2]wire.Stream{{Size: int64(len(stdout)), Data: []byte(stdout)}, {Size: 1 << 20}},
	}
	b, err := o.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

func claim(tb testing.TB, j *journal.Journal, key string) uint64 {
	tb.Helper()
	slot, err := j.Claim(key, time.Minute)
	require.NoError(tb, err)
	return slot
}

// fill brings a key into each state.
func fill(tb testing.TB, j *journal.Journal) {
	tb.Helper()
	claim(tb, j, "r-0-0-1")
	claim(tb, j, "r-0-1-1")
	require.NoError(tb, j.Started("r-0-1-1", journal.Process{PID: 42, ID: 4242}))
	claim(tb, j, "r-0-2-1")
	require.NoError(tb, j.End("r-0-2-1", exit(3, "out")))
	claim(tb, j, "r-0-3-1")
	require.NoError(tb, j.Lose("r-0-3-1", "gone"))
	require.NoError(tb, j.CloseKey("r-0-4-1"))
	claim(tb, j, "r-0-5-1")
	require.NoError(tb, j.Withdraw("r-0-5-1"))
	claim(tb, j, "other")
	require.NoError(tb, j.End("other", exit(0, "out")))
	ended, err := j.Forget([]string{"other", "r-0-6-1", "r-0-0-1"})
	require.NoError(tb, err)
	require.Equal(tb, []string{"other"}, ended)
}

// requireFilled checks what fill has done.
func requireFilled(tb testing.TB, j *journal.Journal) {
	tb.Helper()
	for key, want := range map[string]journal.State{
		"r-0-0-1": journal.Claimed, // what runs is not forgotten
		"r-0-1-1": journal.Claimed,
		"r-0-2-1": journal.Ended,
		"r-0-3-1": journal.Lost,
		"r-0-4-1": journal.Closed,
		"r-0-5-1": journal.Unused,
		"other":   journal.Forgotten,
		"r-0-6-1": journal.Forgotten,
		"r-0-6-2": journal.Unused,
	} {
		require.Equal(tb, want, j.Entry(key).State, key)
	}
	require.Equal(tb, []string{"r-0-0-1", "r-0-1-1"}, j.Claimed())
	e := j.Entry("r-0-1-1")
	require.Equal(tb, journal.Process{PID: 42, ID: 4242}, e.Process)
	require.Equal(tb, time.Minute, e.Grace)
	require.EqualValues(tb, 2, e.Slot)
	require.Equal(tb, "gone", j.Entry("r-0-3-1").Text)
	o, err := j.Outcome("r-0-2-1")
	require.NoError(tb, err)
	require.Equal(tb, exit(3, "out"), o)
}

func TestReopened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir)
	fill(t, j)
	requireFilled(t, j)
	for range 3 {
		j = reopen(t, j, dir)
		requireFilled(t, j)
		require.False(t, j.Rebooted())
	}
	// Slots are never used again.
	require.EqualValues(t, 7, claim(t, j, "r-0-9-1"))
	require.NoError(t, j.Close())
	j, err := journal.Open(dir, journal.Boot{ID: "boot-2"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	require.True(t, j.Rebooted())
}

func TestKeysAreUsedOnce(t *testing.T) { // E5
	t.Parallel()
	j := open(t, t.TempDir())
	fill(t, j)
	for _, key := range []string{"r-0-1-1", "r-0-2-1", "r-0-3-1", "r-0-4-1", "other", "r-0-6-1"} {
		_, err := j.Claim(key, 0)
		require.Error(t, err, key)
	}
	claim(t, j, "r-0-5-1")
	// Closing changes nothing of a key that was used.
	require.NoError(t, j.CloseKey("r-0-2-1"))
	require.Equal(t, journal.Ended, j.Entry("r-0-2-1").State)
	require.Error(t, j.End("unknown", exit(0, "out")))
	_, err := j.Outcome("r-0-1-1")
	require.Error(t, err)
}

// A journal does not grow with what was forgotten, and all else stays when it is
// written anew.
func TestWrittenAnew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir)
	fill(t, j)
	const n = 3000
	var largest int64
	long := exit(0, strings.Repeat("x", 4<<10))
	for i := range n {
		key := fmt.Sprintf("s-1-%d-1", i)
		claim(t, j, key)
		require.NoError(t, j.End(key, long))
		_, err := j.Forget([]string{key})
		require.NoError(t, err)
		if i%100 == 0 {
			info, err := os.Stat(filepath.Join(dir, journal.Name))
			require.NoError(t, err)
			largest = max(largest, info.Size())
		}
	}
	require.Less(t, largest, int64(6<<20))
	requireFilled(t, j)
	j = reopen(t, j, dir)
	requireFilled(t, j)
	require.Equal(t, journal.Forgotten, j.Entry("s-1-0-1").State)
	require.Equal(t, journal.Forgotten, j.Entry(fmt.Sprintf("s-1-%d-1", n-1)).State)
	require.Equal(t, journal.Unused, j.Entry(fmt.Sprintf("s-1-%d-1", n)).State)
	_, err := os.Stat(filepath.Join(dir, journal.Name+".new"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
