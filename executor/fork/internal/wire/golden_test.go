package wire_test

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the bytes of this version of the protocol: a supervisor may be
// older or newer than an engine, and must not mistake its words.
func TestGolden(t *testing.T) {
	t.Parallel()
	const golden = "testdata/v2.txt"
	got := transcript(t)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// transcript has a line for each thing that is said.
func transcript(tb testing.TB) string {
	tb.Helper()
	var b strings.Builder
	say := func(name string, data []byte) {
		_, _ = fmt.Fprintf(&b, "%s %s\n", name, hex.EncodeToString(data))
	}
	o, s := outcome(), start()
	ended, err := o.Append(nil)
	require.NoError(tb, err)
	say("hello", wire.Hello{Version: wire.Version, PID: 7}.Append(nil))
	for _, f := range []struct {
		name string
		kind wire.Kind
		body []byte
	}{
		{"run", wire.Run, s.Append(nil)},
		{"attach", wire.Attach, []byte("k")},
		{"close", wire.Close, wire.Stop{Key: "k", TimeLimit: true}.Append(nil)},
		{"halt", wire.Halt, wire.Stop{Key: "k"}.Append(nil)},
		{"leave", wire.Leave, nil},
		{"forget", wire.Forget, wire.AppendStrings(nil, []string{"k", "l"})},
		{"running", wire.Running, wire.AppendUint(nil, 4711)},
		{"output", wire.Output, wire.Chunk{Stream: 1, Offset: 9, Data: []byte("x")}.Append(nil)},
		{"grown", wire.Grown, wire.Growth{Stream: 1, Size: 1 << 20}.Append(nil)},
		{"ended", wire.Ended, ended},
		{"refused", wire.Refused, wire.AppendFailure(nil, failed())},
		{"forgotten", wire.Forgotten, nil},
	} {
		say(f.name, wire.AppendFrame(nil, wire.Frame{Kind: f.kind, Call: 300, Body: f.body}))
	}
	return b.String()
}
