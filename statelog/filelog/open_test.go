package filelog_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/filelog"
)

func appendOne(tb testing.TB, log *filelog.Log, run string, after uint64) uint64 {
	tb.Helper()
	rec := statelog.Record{Kind: statelog.Intent, Time: time.Unix(1, 0), Attempt: 1}
	end, err := log.Append(tb.Context(), run, after, []statelog.Record{rec})
	require.NoError(tb, err)
	return end
}

// L6: a directory is open once at a time.
func TestDirectoryIsLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := openLog(t, dir)
	_, err := filelog.Open(t.Context(), dir, filelog.Config{})
	require.ErrorIs(t, err, statelog.ErrActive)
	require.ErrorContains(t, err, dir)
	appendOne(t, log, "run", 0)
	require.NoError(t, log.Close())
	require.NoError(t, log.Close(), "it may be closed again")
	again := openLog(t, dir)
	appendOne(t, again, "run", 1)
}

func TestClosedLogs(t *testing.T) {
	t.Parallel()
	log := openLog(t, t.TempDir())
	appendOne(t, log, "run", 0)
	before := log.Read(t.Context(), "run", 0)
	require.NoError(t, log.Close())
	_, err := log.Append(t.Context(), "run", 1, []statelog.Record{{Kind: statelog.Resumed}})
	require.ErrorIs(t, err, filelog.ErrClosed)
	_, err = log.Prune(t.Context(), statelog.Retention{Count: 1})
	require.ErrorIs(t, err, filelog.ErrClosed)
	_, err = log.Lock(t.Context(), "run", "e")
	require.ErrorIs(t, err, filelog.ErrClosed)
	for _, err := range log.Read(t.Context(), "run", 0) {
		require.ErrorIs(t, err, filelog.ErrClosed)
	}
	for _, err := range before {
		require.ErrorIs(t, err, filelog.ErrClosed)
	}
	for _, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.ErrorIs(t, err, filelog.ErrClosed)
	}
}

// S3: nothing that a user says becomes the name of a file, and files are for
// their owner.
func TestNamesAndModes(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "a", "b")
	log := openLog(t, dir)
	d := &dag.DAG{Tasks: []dag.Task{{
		Name: "t", Job: dag.Command(strings.Repeat("x", 100_000)),
	}}}
	for _, run := range []string{"../../escaped", "/tmp/x", "", "\x00", "LOCK", "CON"} {
		recs := []statelog.Record{{
			Kind: statelog.Opened, Time: time.Unix(1, 0),
			Opened: &statelog.Opening{Version: 1, Definition: func() *dag.DAG { return d }},
		}}
		_, err := log.Append(t.Context(), run, 0, recs)
		require.NoError(t, err)
	}
	err := filepath.WalkDir(parent, func(path string, e fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := e.Info()
		require.NoError(t, err)
		switch {
		case runtime.GOOS == "windows" || path == parent:
		case e.IsDir():
			require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), path)
		default:
			require.Regexp(t, `^(LOCK|0000000\d\.(seg|rec))$`, e.Name())
			require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
		}
		return nil
	})
	require.NoError(t, err)
	for rec, err := range log.Read(t.Context(), "../../escaped", 0) {
		require.NoError(t, err)
		require.Equal(t, d, rec.Opened.Definition())
	}
}

// A file that is foreign is named and left alone.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{"0.seg", "00000001.segment", "1.seg", "notes.txt", "sub"}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	for _, name := range names[:4] {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
	}
	var said bytes.Buffer
	log, err := filelog.Open(t.Context(), dir, filelog.Config{
		Logger: slog.New(slog.NewTextHandler(&said, nil)),
	})
	require.NoError(t, err)
	require.Equal(t, names, log.Found().Foreign)
	appendOne(t, log, "run", 0)
	require.NoError(t, log.Close())
	for _, name := range names[:4] {
		require.Contains(t, said.String(), filepath.Join(dir, name))
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, name, string(data))
	}
}

// A log that a newer library wrote is refused, with both versions, and left alone.
func TestNewerVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log := openLog(t, dir)
	appendOne(t, log, "run", 0)
	require.NoError(t, log.Close())
	path := filepath.Join(dir, "00000001.seg")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	binary.LittleEndian.PutUint32(data[8:], filelog.Version+1)
	require.NoError(t, os.WriteFile(path, data, 0o600))

	_, err = filelog.Open(t.Context(), dir, filelog.Config{})
	newer, ok := errors.AsType[*filelog.VersionError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, filelog.VersionError{Path: path, Version: 2, Known: 1}, *newer)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, data, after)
}

func TestUnknownRun(t *testing.T) {
	t.Parallel()
	log := openLog(t, t.TempDir())
	appendOne(t, log, "nightly-2026", 0)
	recs := []statelog.Record{{Kind: statelog.Resumed}}
	_, err := log.Append(t.Context(), "nightly-2027", 1, recs)
	require.ErrorIs(t, err, statelog.ErrNoRun)
	for _, err := range log.Read(t.Context(), "nightly-206", 0) {
		require.ErrorIs(t, err, statelog.ErrNoRun)
	}
	// Only who asks for a run by its name is told of the nearest, once: a new run
	// is looked for too, and should not be compared with all others.
	_, err = (&runner.Runner{Log: log}).Resume(t.Context(), "nightly-206")
	require.ErrorIs(t, err, statelog.ErrNoRun)
	require.Equal(t, 1, strings.Count(err.Error(), `did you mean "nightly-2026"?`))
}

func TestWrongConfig(t *testing.T) {
	t.Parallel()
	_, err := filelog.Open(t.Context(), t.TempDir(), filelog.Config{SegmentSize: -1})
	require.Error(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = filelog.Open(t.Context(), file, filelog.Config{})
	require.Error(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	log := openLog(t, dir)
	appendOne(t, log, "run", 0)
	require.NoError(t, log.Close())
	_, err = filelog.Open(ctx, dir, filelog.Config{})
	require.ErrorIs(t, err, context.Canceled)
}
