package journal

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// fail makes writing fail until what it returns is called.
func fail(tb testing.TB, j *Journal) func() {
	tb.Helper()
	good := j.file
	var err error
	j.file, err = os.Open(j.path()) // only for reading
	require.NoError(tb, err)
	require.NoError(tb, os.Mkdir(j.path()+".new", 0o700)) // nor is there a new one
	return func() {
		require.NoError(tb, j.file.Close())
		require.NoError(tb, os.Remove(j.path()+".new"))
		j.file, j.err = good, nil
	}
}

// What has ended while there was no room is known all the same, is written as soon
// as there is, and nothing is claimed before.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Boot{})
	require.NoError(t, err)
	for _, key := range []string{"a", "b", "c"} {
		_, err := j.Claim(key, 0)
		require.NoError(t, err)
	}
	var o wire.Outcome
	outcome, err := o.Append(nil)
	require.NoError(t, err)

	room := fail(t, j)
	require.Error(t, j.End("a", outcome))
	require.Error(t, j.End("b", outcome))
	_, err = j.Claim("d", 0)
	require.Error(t, err)
	require.Error(t, j.CloseKey("e"))
	require.Error(t, j.Withdraw("c"))
	_, err = j.Forget([]string{"a"})
	require.Error(t, err)
	got, err := j.Outcome("a")
	require.NoError(t, err)
	require.Equal(t, outcome, got)
	room()

	_, err = j.Claim("d", 0)
	require.NoError(t, err)
	require.Empty(t, j.unsaved)
	require.NoError(t, j.Close())
	j, err = Open(dir, Boot{})
	require.NoError(t, err)
	for key, want := range map[string]State{
		"a": Ended, "b": Ended, "c": Claimed, "d": Claimed, "e": Unused,
	} {
		require.Equal(t, want, j.Entry(key).State, key)
	}
	require.NoError(t, j.Close())
}

// A file from which an unfinished record could not be cut off is replaced.
func TestNewFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Boot{})
	require.NoError(t, err)
	_, err = j.Claim("a", 0)
	require.NoError(t, err)
	require.NoError(t, j.file.Close())
	j.file, err = os.Open(j.path())
	require.NoError(t, err)
	_, err = j.Claim("b", 0)
	require.Error(t, err)
	_, err = j.Claim("c", 0)
	require.NoError(t, err)
	require.NoError(t, j.Close())
	j, err = Open(dir, Boot{})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "c"}, j.Claimed())
	require.NoError(t, j.Close())
}

// An outcome is found in a file that is written anew just before it.
func TestOutcomeAfterRewrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, err := Open(dir, Boot{})
	require.NoError(t, err)
	for _, key := range []string{"a", "b"} {
		_, err := j.Claim(key, 0)
		require.NoError(t, err)
	}
	var o wire.Outcome
	outcome, err := o.Append(nil)
	require.NoError(t, err)
	for j.size <= rewriteAt {
		require.NoError(t, j.Lose("b", strings.Repeat("x", maxRecord/2)))
	}
	require.NoError(t, j.End("a", outcome))
	require.Less(t, j.size, int64(maxRecord))
	got, err := j.Outcome("a")
	require.NoError(t, err)
	require.Equal(t, outcome, got)
	require.NoError(t, j.Close())
	j, err = Open(dir, Boot{})
	require.NoError(t, err)
	got, err = j.Outcome("a")
	require.NoError(t, err)
	require.Equal(t, outcome, got)
	require.NoError(t, j.Close())
}

// What could not be written is written when the file is closed or written anew.
func TestNoRoomAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, save := range map[string]func(*Journal) error{
		"closed":        func(*Journal) error { return nil },
		"written anew":  (*Journal).rewrite,
		"claimed again": func(j *Journal) error { _, err := j.Claim("x", 0); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			j, err := Open(dir, Boot{})
			require.NoError(t, err)
			_, err = j.Claim("a", 0)
			require.NoError(t, err)
			var o wire.Outcome
			outcome, err := o.Append(nil)
			require.NoError(t, err)
			room := fail(t, j)
			require.Error(t, j.End("a", outcome))
			room()
			require.NoError(t, save(j))
			require.NoError(t, j.Close())
			j, err = Open(dir, Boot{})
			require.NoError(t, err)
			require.Equal(t, Ended, j.Entry("a").State)
			require.NoError(t, j.Close())
		})
	}
}
