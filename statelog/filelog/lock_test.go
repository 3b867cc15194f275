package filelog

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// heldFor is a directory whose lock somebody has for so long.
type heldFor struct {
	fileSystem
	until time.Time
}

func (h heldFor) Lock() (io.Closer, error) {
	if time.Now().Before(h.until) {
		return nil, errLocked
	}
	return h.fileSystem.Lock()
}

// The lock of an engine that was killed may be held a moment longer by a command
// that it was about to execute.
func TestLockIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		held time.Duration
		err  error
	}{
		{"free", 0, nil},
		{"a moment", time.Second, nil},
		{"by an engine", time.Hour, statelog.ErrActive},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				held := heldFor{directory(dir), time.Now().Add(tc.held)}
				log, err := open(t.Context(), dir, held, Config{})
				require.ErrorIs(t, err, tc.err)
				if err == nil {
					require.NoError(t, log.Close())
				}
			})
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	_, err := open(ctx, dir, heldFor{directory(dir), time.Now().Add(time.Hour)}, Config{})
	require.ErrorIs(t, err, context.Canceled)
}
