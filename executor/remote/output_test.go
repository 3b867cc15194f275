package remote_test

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

func TestLargeOutputIsFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		large := strings.Repeat("0123456789abcdef", 1<<15)
		c := start(t, e, "a", "k1")
		synctest.Wait()
		d.tell("k1", func(task *task) { task.state.State, task.out[1] = wire.Running, []byte("e") })
		synctest.Wait()
		d.tell("k1", func(task *task) { task.out[0], task.out[1] = []byte(large), []byte(large) })
		d.ends("k1", wire.Outcome{})
		<-c.done
		require.NoError(t, c.err)
		require.Equal(t, large, c.stdout.String())
		require.Len(t, c.stderr.String(), len(large))
	})
}

func TestOutputsThatNobodyWantsAreNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		joined := start(t, e, "a", "joined", func(c *call) { c.Stderr = c.Stdout })
		synctest.Wait()
		require.Equal(t, wire.Join, d.task(t, "joined").sub.Stderr)
		d.tell("joined", func(task *task) { task.out[0] = []byte("both") })
		d.ends("joined", wire.Outcome{Inline: true})
		<-joined.done
		require.Equal(t, "both", joined.stdout.String())
	})
}

// A stuck writer takes its time.
type stuck struct{ gate chan struct{} }

func (s stuck) Write(b []byte) (int, error) {
	<-s.gate
	return len(b), nil
}

// However many writers are slow, the node is heard of and spoken to all the same.
func TestSlowWriters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{Lease: time.Minute}, d)
		gate := make(chan struct{})
		calls := make([]*call, 40)
		for i := range calls {
			key := "k" + strconv.Itoa(i)
			calls[i] = start(t, e, "a", key, func(c *call) { c.Stdout = stuck{gate} })
			synctest.Wait()
			d.tell(key, func(task *task) {
				task.state.State, task.out[0] = wire.Running, make([]byte, 1<<20)
			})
		}
		sleep(time.Minute)
		before := d.count("POST /api/v1/renew")
		sleep(time.Minute)
		require.Greater(t, d.count("POST /api/v1/renew"), before)
		c := start(t, e, "a", "another")
		synctest.Wait()
		d.completes(t, c)
		close(gate)
		for i, c := range calls {
			d.ends("k"+strconv.Itoa(i), wire.Outcome{})
			<-c.done
			require.NoError(t, c.err)
		}
	})
}

// What is not whole says so, whether the task succeeded or not.
func TestOutputThatIsNotWhole(t *testing.T) {
	t.Parallel()
	broken := func(c *call) { c.Stdout = broken{} }
	for _, exit := range []int{0, 3} {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			e := open(t, remote.Config{}, d)
			c := start(t, e, "a", "k1", broken)
			synctest.Wait()
			d.tell("k1", func(task *task) { task.out[0] = []byte("out") })
			d.ends("k1", wire.Outcome{Inline: true, Result: executor.Result{ExitCode: exit}})
			<-c.done
			require.Equal(t, exit, c.result.ExitCode)
			if exit == 0 {
				require.ErrorIs(t, c.err, errBroken)
				return
			}
			require.NoError(t, c.err, "the task is to blame")
			require.Contains(t, c.result.Message, errBroken.Error())
		})
	}
}

// refuseOutput has requests for output answered with this.
func (d *daemon) refuseOutput(status int, code string) {
	d.between = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, wire.PathStdout) {
			return false
		}
		w.WriteHeader(status)
		d.write(w, wire.Problem{Text: "refused", Code: code})
		return true
	}
}

// Output that was evicted just before it could be fetched is missed too, and so is that of
// a daemon that remembers nothing.
func TestOutputThatIsGone(t *testing.T) {
	t.Parallel()
	for status, code := range map[int]string{
		http.StatusGone: wire.CodeClosed, http.StatusNotFound: wire.CodeNotFound,
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			d.refuseOutput(status, code)
			e := open(t, remote.Config{}, d)
			c := start(t, e, "a", "k1")
			synctest.Wait()
			d.tell("k1", func(task *task) { task.out[0] = []byte("out") })
			d.ends("k1", wire.Outcome{})
			<-c.done
			require.NoError(t, c.err)
			require.True(t, c.result.OK())
			require.Contains(t, c.result.Message, "output is not kept")
		})
	}
}

// Nobody waits for the output of what a daemon has stopped at its end: it is lost in any
// case.
func TestOutputOfWhatIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.refuseOutput(http.StatusBadGateway, "")
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		synctest.Wait()
		d.tell("k1", func(task *task) { task.out[0] = []byte("out") })
		d.ends("k1", wire.Outcome{
			Stopped: wire.StoppedShutdown, Result: executor.Result{ExitCode: -1, Signal: "SIGTERM"},
		})
		synctest.Wait()
		require.True(t, c.over())
		isLost(t, c.err)
	})
}

// What only another daemon than the one that is there now could tell is waited for aloud,
// and with Replace not for ever.
func TestOutputOfAnotherDaemon(t *testing.T) {
	t.Parallel()
	for _, unreachable := range []remote.Unreachable{remote.Wait, remote.Replace} {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			d.refuseOutput(http.StatusBadGateway, "")
			var log lockedBuffer
			e := open(t, remote.Config{
				OnUnreachable: unreachable, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}, d)
			c := start(t, e, "a", "k1")
			synctest.Wait()
			d.tell("k1", func(task *task) { task.out[0] = []byte("out") })
			d.ends("k1", wire.Outcome{})
			sleep(time.Minute)
			require.False(t, c.over(), "the daemon is there")
			d.restart(func(h *wire.Health) {
				d.tasks, h.Journal, d.between = map[string]*task{}, "j2", nil
			})
			sleep(remote.DefaultLease / 2)
			require.False(t, c.over(), "the right one may come back")
			require.Contains(t, log.String(), "key=k1")
			sleep(2 * remote.DefaultLease)
			if unreachable == remote.Wait {
				require.False(t, c.over())
				e.Gone("a")
				sleep(time.Minute)
			}
			require.True(t, c.over())
			isLost(t, c.err)
		})
	}
}

// funcs cannot be compared.
type funcs []func([]byte)

func (f funcs) Write(b []byte) (int, error) {
	f[0](b)
	return len(b), nil
}

func TestWritersThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		var all lockedBuffer
		w := funcs{func(b []byte) { _, _ = all.Write(b) }}
		c := start(t, e, "a", "k1", func(c *call) { c.Stdout, c.Stderr = w, w })
		synctest.Wait()
		d.tell("k1", func(task *task) { task.out[0], task.out[1] = []byte("out"), []byte("err") })
		d.completes(t, c)
		require.Equal(t, "outerr", all.String())
	})
}

var errBroken = errors.New("the writer is broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
