package wire_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// FuzzDecode: nothing makes a decoder panic, and what it takes it writes again so
// that it reads the same.
func FuzzDecode(f *testing.F) {
	o, s := outcome(), start()
	encoded, err := o.Append(nil)
	require.NoError(f, err)
	f.Add(encoded)
	f.Add(s.Append(nil))
	f.Add(wire.AppendFailure(nil, failed()))
	f.Add(wire.AppendFrame(nil, wire.Frame{Kind: wire.Run, Call: 300, Body: []byte("x")}))
	f.Add(wire.Hello{Version: 1}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := wire.DecodeStart(b); err == nil {
			again, err := wire.DecodeStart(s.Append(nil))
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
		if o, err := wire.DecodeOutcome(b); err == nil {
			data, err := o.Append(nil)
			require.NoError(t, err)
			again, err := wire.DecodeOutcome(data)
			require.NoError(t, err)
			require.Equal(t, o.Streams, again.Streams)
			require.Equal(t, o.Failure, again.Failure)
		}
		if g, err := wire.DecodeGrowth(b); err == nil {
			again, err := wire.DecodeGrowth(g.Append(nil))
			require.NoError(t, err)
			require.Equal(t, g, again)
		}
		_, _ = wire.DecodeChunk(b)
		_, _ = wire.DecodeStop(b)
		_, _ = wire.DecodeKeys(b)
		_, _ = wire.DecodeFailure(b)
		_, _ = wire.ReadHello(bytes.NewReader(b))
		_, _, _ = wire.ReadFrame(bytes.NewReader(b), nil)
	})
}
