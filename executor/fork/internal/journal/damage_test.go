package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/fork/internal/journal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden is a journal of this version with everything in it. It is kept for ever:
// later versions must read it.
const golden = "testdata/v1.journal"

func TestGolden(t *testing.T) {
	t.Parallel()
	if *update {
		dir := t.TempDir()
		fill(t, open(t, dir))
		data, err := os.ReadFile(filepath.Join(dir, journal.Name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, data, 0o644))
	}
	j, err := openBytes(t, readGolden(t))
	require.NoError(t, err)
	requireFilled(t, j)
}

func readGolden(tb testing.TB) []byte {
	tb.Helper()
	data, err := os.ReadFile(golden)
	require.NoError(tb, err)
	return data
}

// openBytes opens a journal that consists of these bytes.
func openBytes(tb testing.TB, data []byte) (*journal.Journal, error) {
	tb.Helper()
	dir := tb.TempDir()
	require.NoError(tb, os.WriteFile(filepath.Join(dir, journal.Name), data, 0o600))
	j, err := journal.Open(dir, boot)
	if err == nil {
		tb.Cleanup(func() { _ = j.Close() })
	}
	return j, err
}

// records returns where each record of a journal begins, and its end.
func records(data []byte) []int {
	at := []int{16}
	for i := 16; i < len(data); {
		i += 8 + int(binary.LittleEndian.Uint32(data[i:]))
		at = append(at, i)
	}
	return at
}

// A process that is killed while it writes leaves a part of a record, at any byte.
func TestCutAnywhere(t *testing.T) {
	t.Parallel()
	data := readGolden(t)
	starts := records(data)
	for n := range data {
		j, err := openBytes(t, data[:n])
		if n < 16 {
			requireCorrupt(t, err, 0)
			continue
		}
		require.NoError(t, err, n)
		whole := 0
		for _, at := range starts {
			if at <= n {
				whole = at
			}
		}
		require.EqualValues(t, n-whole, j.Cut())
		claim(t, j, "another")
	}
}

func requireCorrupt(tb testing.TB, err error, offset int64) {
	tb.Helper()
	e, ok := errors.AsType[*journal.CorruptError](err)
	require.True(tb, ok, "%v", err)
	require.Equal(tb, offset, e.Offset)
	require.Contains(tb, e.Error(), "damaged at offset")
}

// A byte that was changed anywhere but in the last record is refused; there, it
// looks like a record that was not finished.
func TestFlippedAnywhere(t *testing.T) {
	t.Parallel()
	data := readGolden(t)
	starts := records(data)
	last := starts[len(starts)-2]
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x40
		j, err := openBytes(t, bad)
		switch {
		case i < 16:
			requireCorrupt(t, err, 0)
		case i < last:
			require.Error(t, err, i)
			_, ok := errors.AsType[*journal.CorruptError](err)
			require.True(t, ok, "%d: %v", i, err)
		default:
			require.NoError(t, err)
			require.EqualValues(t, len(data)-last, j.Cut())
		}
	}
}

func TestAnotherVersion(t *testing.T) {
	t.Parallel()
	data := readGolden(t)
	bad := journal.Header(journal.Version + 1)
	_, err := openBytes(t, append(bad, data[16:]...))
	e, ok := errors.AsType[*journal.VersionError](err)
	require.True(t, ok, "%v", err)
	require.EqualValues(t, journal.Version+1, e.Have)
	require.EqualValues(t, journal.Version, e.Want)
	require.Contains(t, e.Error(), "version 2")
}

// FuzzOpen: no file makes it panic, and what can be opened once can be opened again
// and says the same.
func FuzzOpen(f *testing.F) {
	data := readGolden(f)
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, journal.Name), b, 0o600))
		j, err := journal.Open(dir, boot)
		if err != nil {
			return
		}
		claimed := j.Claimed()
		j = reopen(t, j, dir)
		require.Equal(t, claimed, j.Claimed())
		require.NoError(t, j.Close())
	})
}
