package agent_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A hold is a job that the test sees the end of.
type hold struct{ l net.Listener }

func newHold(tb testing.TB) hold {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	return hold{l}
}

func (h hold) job() string {
	words, _ := json.Marshal(helperproc.Command("hold", h.l.Addr().String()))
	return `{"command":` + string(words) + `}`
}

// begun waits for the job, and what it returns for its end.
func (h hold) begun(tb testing.TB) (ended func()) {
	tb.Helper()
	c, err := h.l.Accept()
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return func() {
		require.NoError(tb, c.SetReadDeadline(time.Now().Add(patience)))
		_, err := c.Read(make([]byte, 1))
		require.Error(tb, err)
		e, timeout := err.(net.Error) //nolint:errorlint // it is what Read returns
		require.False(tb, timeout && e.Timeout(), "it goes on")
	}
}

// Leases end although the daemon stands still or is dead, and the daemon after it, or
// the same one when it goes on, knows that.
func TestLeaseEndsWithoutTheDaemon(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			s, h := newSite(t), newHold(t)
			d := spawnDaemon(t, role{Dir: s.dir, Cores: 4})
			var health wire.Health
			got := d.ask(t, "", http.MethodGet, wire.PathHealth, "")
			require.NoError(t, json.Unmarshal(got.body, &health))
			require.True(t, health.LeaseHolds)
			require.GreaterOrEqual(t, health.StopSeconds, 2.0)
			body := fmt.Sprintf(`{"leaseSeconds":1.5,"job":%s}`, h.job())
			require.Equal(t, http.StatusCreated, d.put(t, "s", s.key("k"), body).status)
			ended := h.begun(t)
			require.NoError(t, d.cmd.Process.Signal(signal))
			ended()
			if signal == syscall.SIGSTOP {
				require.NoError(t, d.cmd.Process.Signal(syscall.SIGCONT))
			} else {
				d.kill()
				d = spawnDaemon(t, role{Dir: s.dir, Cores: 4})
			}
			st := d.end(t, s.key("k"))
			lost := st.Outcome.Failure != nil && st.Outcome.Failure.Class == wire.Lost
			require.True(t, lost || st.Outcome.Stopped == wire.StoppedLease, "%+v", st.Outcome)
			got = d.put(t, "s2", s.key("k"), `{"resumed":true,`+body[1:])
			require.True(t, got.status == http.StatusGone || lost, "%d %s", got.status, got.body)
		})
	}
}

// A lease goes on from one daemon to the next, and ends there.
func TestLeaseOfTheDaemonBefore(t *testing.T) {
	t.Parallel()
	s, h := newSite(t), newHold(t)
	d := spawnDaemon(t, role{Dir: s.dir, Cores: 4})
	body := fmt.Sprintf(`{"leaseSeconds":4,"job":%s}`, h.job())
	require.Equal(t, http.StatusCreated, d.put(t, "s", s.key("k"), body).status)
	ended := h.begun(t)
	d.until(t, s.key("k"), isRunning)
	d.kill()
	d = spawnDaemon(t, role{Dir: s.dir, Cores: 4})
	ended()
	st := d.end(t, s.key("k"))
	lost := st.Outcome.Failure != nil && st.Outcome.Failure.Class == wire.Lost
	require.True(t, lost || st.Outcome.Stopped == wire.StoppedLease, "%+v", st.Outcome)
	require.Equal(t, http.StatusGone, d.put(t, "s", s.key("k"), body).status)
}
