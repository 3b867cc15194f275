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

	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A hold is a job that the test sees the end of.
type hold struct{ l *net.TCPListener }

func newHold(tb testing.TB) hold {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	return hold{l.(*net.TCPListener)}
}

func (h hold) job() string {
	words, _ := json.Marshal(helperproc.Command("hold", h.l.Addr().String()))
	return `{"command":` + string(words) + `}`
}

// begun waits for the job, and what it returns for its end.
func (h hold) begun(tb testing.TB) (ended func()) {
	tb.Helper()
	require.NoError(tb, h.l.SetDeadline(time.Now().Add(patience)))
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
			body := fmt.Sprintf(`{"leaseSeconds":10,"job":%s}`, h.job())
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
	body := fmt.Sprintf(`{"leaseSeconds":10,"job":%s}`, h.job())
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

// An attempt that was taken over without a lease goes on when the one before would have
// been over, though the daemon is dead.
func TestLeaseIsGivenUp(t *testing.T) {
	t.Parallel()
	s, free, bound := newSite(t), newHold(t), newHold(t)
	d := spawnDaemon(t, role{Dir: s.dir, Cores: 4})
	body := fmt.Sprintf(`{"leaseSeconds":10,"job":%s}`, free.job())
	require.Equal(t, http.StatusCreated, d.put(t, "s", s.key("free"), body).status)
	goesOn := free.begun(t)
	body = fmt.Sprintf(`{"resumed":true,"job":%s}`, free.job())
	require.Equal(t, http.StatusOK, d.put(t, "s2", s.key("free"), body).status)
	body = fmt.Sprintf(`{"leaseSeconds":12,"job":%s}`, bound.job())
	require.Equal(t, http.StatusCreated, d.put(t, "s", s.key("bound"), body).status)
	ended := bound.begun(t)
	d.kill()
	ended() // two seconds later than the other would have been
	d = spawnDaemon(t, role{Dir: s.dir, Cores: 4})
	st := d.ask(t, "", http.MethodGet, wire.PathTask+s.key("free")+"?wait=1s", "").state(t)
	require.Nil(t, st.Outcome)
	got := d.ask(t, "s2", http.MethodDelete, wire.PathTask+s.key("free")+"?wait=30s", "")
	require.Equal(t, http.StatusOK, got.status)
	goesOn()
}

// The time that stopping takes has the grace time in it, also if that is the default.
func TestStopTime(t *testing.T) {
	t.Parallel()
	for grace, least := range map[time.Duration]time.Duration{
		0: fork.DefaultGrace, 20 * time.Second: 20 * time.Second, -1: 0,
	} {
		d := boot(t, agent.Config{Grace: grace, Ephemeral: true})
		var health wire.Health
		got := d.ask(t, "", http.MethodGet, wire.PathHealth, "")
		require.NoError(t, json.Unmarshal(got.body, &health))
		stop, known := health.StopTime()
		require.True(t, known)
		require.Greater(t, stop, least)
	}
}
