package wire_test

import (
	"bytes"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

func outcome() wire.Outcome {
	return wire.Outcome{
		Result: executor.Result{
			ExitCode: 3, Node: "n", Message: "\xff", Left: []string{"process 7 (x)"},
			Start: time.Unix(1, 2).UTC(), UserCPU: time.Second, MaxRSS: 1 << 40,
		},
		Streams: [2]wire.Stream{{Size: 3, Data: []byte("a\x00\xff")}, {Size: 1 << 30}},
	}
}

func failed() *wire.Failure {
	return &wire.Failure{
		Class: wire.NotStarted, Permanent: true, RetryAfter: time.Minute, Errno: 24,
		Known: wire.NotFound, Command: "c", Path: "/bin", WorkDir: "/d", About: "a", Text: "t",
	}
}

func start() wire.Start {
	return wire.Start{
		Key: "k", Path: "/bin/true", Dir: "/", Node: "n", Argv: []string{"true", "", "a b"},
		Env: []string{"A=1"}, Resources: dag.Resources{dag.Cores: 2, "licence": 1},
		Mode: 1, Pids: 4096,
		Grace: -1, WaitDelay: time.Second, Limit: 0, Wanted: [2]bool{true, false}, Joined: true,
	}
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	t.Run("outcome", func(t *testing.T) {
		t.Parallel()
		for _, f := range []*wire.Failure{nil, failed()} {
			want := outcome()
			want.Result.Message, want.Failure = "�", f // JSON has no other bytes
			b, err := want.Append(nil)
			require.NoError(t, err)
			got, err := wire.DecodeOutcome(b)
			require.NoError(t, err)
			require.Equal(t, want, got)
			require.False(t, got.Streams[0].Spilled())
			require.True(t, got.Streams[1].Spilled())
		}
	})
	t.Run("failure", func(t *testing.T) {
		t.Parallel()
		got, err := wire.DecodeFailure(wire.AppendFailure(nil, failed()))
		require.NoError(t, err)
		require.Equal(t, failed(), got)
	})
	t.Run("start", func(t *testing.T) {
		t.Parallel()
		want := start()
		got, err := wire.DecodeStart(want.Append(nil))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		want := wire.Stop{Key: "k", TimeLimit: true}
		got, err := wire.DecodeStop(want.Append(nil))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("chunk", func(t *testing.T) {
		t.Parallel()
		want := wire.Chunk{Stream: 1, Offset: 1 << 40, Data: []byte("\x00\xff")}
		got, err := wire.DecodeChunk(want.Append(nil))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("growth", func(t *testing.T) {
		t.Parallel()
		want := wire.Growth{Stream: 1, Size: math.MaxInt64}
		got, err := wire.DecodeGrowth(want.Append(nil))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("hello", func(t *testing.T) {
		t.Parallel()
		want := wire.Hello{Version: 7, PID: 8}
		got, err := wire.ReadHello(bytes.NewReader(want.Append(nil)))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("frames", func(t *testing.T) {
		t.Parallel()
		frames := []wire.Frame{
			{Kind: wire.Run, Call: 1, Body: []byte("body")},
			{Kind: wire.Forgotten, Call: math.MaxUint64, Body: []byte{}},
		}
		var all []byte
		for _, f := range frames {
			all = wire.AppendFrame(all, f)
		}
		r, buf := bytes.NewReader(all), []byte(nil)
		for _, want := range frames {
			got, b, err := wire.ReadFrame(r, buf)
			require.NoError(t, err)
			require.Equal(t, want, got)
			buf = b
		}
		_, _, err := wire.ReadFrame(r, buf)
		require.Equal(t, io.EOF, err)
	})
}

// Whatever is cut off, or comes on top, is found.
func TestCutAndLonger(t *testing.T) {
	t.Parallel()
	o, s := outcome(), start()
	encoded, err := o.Append(nil)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		data   []byte
		decode func([]byte) error
	}{
		"outcome": {encoded, func(b []byte) error { _, err := wire.DecodeOutcome(b); return err }},
		"failure": {
			wire.AppendFailure(nil, failed()),
			func(b []byte) error { _, err := wire.DecodeFailure(b); return err },
		},
		"start": {
			s.Append(nil), func(b []byte) error { _, err := wire.DecodeStart(b); return err },
		},
		"keys": {
			wire.AppendStrings(nil, []string{"a", "bc"}),
			func(b []byte) error { _, err := wire.DecodeKeys(b); return err },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, c.decode(c.data))
			for n := range c.data {
				require.ErrorIs(t, c.decode(c.data[:n]), wire.ErrMalformed, n)
			}
			longer := append(bytes.Clone(c.data), 0)
			require.ErrorIs(t, c.decode(longer), wire.ErrMalformed)
		})
	}
}

func TestFrameLimits(t *testing.T) {
	t.Parallel()
	_, _, err := wire.ReadFrame(bytes.NewReader([]byte{0, 0, 0, 0xff}), nil)
	require.ErrorIs(t, err, wire.ErrTooLarge)
	_, _, err = wire.ReadFrame(bytes.NewReader([]byte{2, 0, 0, 0, 1}), nil)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, _, err = wire.ReadFrame(bytes.NewReader([]byte{2, 0, 0, 0, 0xff, 1}), nil)
	require.ErrorIs(t, err, wire.ErrMalformed)
	_, err = wire.ReadHello(bytes.NewReader(make([]byte, 16)))
	require.ErrorIs(t, err, wire.ErrMalformed)
}

// A list that claims to be long costs nothing.
func TestClaimedLength(t *testing.T) {
	b := wire.AppendUint(nil, math.MaxUint64)
	allocs := testing.AllocsPerRun(10, func() {
		if _, err := wire.DecodeKeys(b); err == nil {
			panic("a list of nothing")
		}
	})
	require.LessOrEqual(t, allocs, 1.0)
}
