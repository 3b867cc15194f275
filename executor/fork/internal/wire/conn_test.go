package wire_test

import (
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Sending does not wait for the other side, keeps the order, and what was sent
// before Close arrives.
func TestConn(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	sender, receiver := wire.NewConn(a), wire.NewConn(b)
	const n = 1000
	for i := range uint64(n) {
		sender.Send(wire.Frame{Kind: wire.Output, Call: i}) // nobody reads yet
	}
	sender.Later(func(b []byte) []byte {
		return wire.AppendFrame(b, wire.Frame{Kind: wire.Grown, Call: n})
	})
	sender.Close()
	sender.Send(wire.Frame{Kind: wire.Ended}) // too late
	var running sync.WaitGroup
	running.Go(sender.Write)
	var next uint64
	err := receiver.Read(func(f wire.Frame) error {
		require.Equal(t, next, f.Call)
		next++
		return nil
	})
	require.Error(t, err)
	require.EqualValues(t, n+1, next)
	running.Wait()
	receiver.Abort()
}

// A side that has gone away ends both goroutines.
func TestConnBreaks(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	c := wire.NewConn(a)
	var running sync.WaitGroup
	running.Go(c.Write)
	running.Go(func() { _ = c.Read(func(wire.Frame) error { return nil }); c.Abort() })
	require.NoError(t, b.Close())
	running.Wait()
}
