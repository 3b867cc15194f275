package remote_test

import (
	"bufio"
	"context"
	"errors"
	"io"
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

func TestRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := submitted(t, remote.Config{})
		require.Equal(t, "a", d.task(t, "k1").sub.Node)
		require.Zero(t, d.task(t, "k1").sub.Lease)
		d.tell("k1", func(task *task) {
			task.state.State, task.state.Ref = wire.Running, "p7"
			task.out[0] = []byte("out")
		})
		synctest.Wait()
		require.Equal(t, executor.Status{Running: true, Ref: "j1/b1/p7", Node: "a"}, c.last())
		require.Equal(t, "out", c.stdout.String(), "while it runs")
		d.tell("k1", func(task *task) {
			task.out[0] = append(task.out[0], "put"...)
			task.out[1] = []byte("err")
		})
		d.ends("k1", wire.Outcome{Result: executor.Result{ExitCode: 3}, Inline: true})
		<-c.done
		require.NoError(t, c.err)
		require.Equal(t, executor.Result{ExitCode: 3, Node: "a"}, c.result)
		require.Equal(t, "output", c.stdout.String())
		require.Equal(t, "err", c.stderr.String())
	})
}

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
		require.Len(t, c.stderr.String(), len(large)+1-1)
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

// What the answers to a submission mean.
func TestAnswers(t *testing.T) {
	t.Parallel()
	isPermanent := func(t *testing.T, err error) {
		t.Helper()
		require.True(t, executor.IsPermanent(err), "%v", err)
	}
	notStarted := func(t *testing.T, err error) {
		t.Helper()
		not, ok := errors.AsType[*executor.NotStartedError](err)
		require.True(t, ok, "%v", err)
		require.Equal(t, 7*time.Second, not.RetryAfter)
	}
	for name, test := range map[string]struct {
		status int
		p      wire.Problem
		check  func(*testing.T, error)
	}{
		"no room":     {429, wire.Problem{Code: wire.CodeNoRoom, RetryAfter: 7}, notStarted},
		"disk full":   {503, wire.Problem{Code: wire.CodeJournal, RetryAfter: 7}, notStarted},
		"draining":    {429, wire.Problem{Code: wire.CodeDraining, RetryAfter: 7}, isLost},
		"closed":      {410, wire.Problem{Code: wire.CodeClosed, Lost: true}, isLost},
		"too small":   {422, wire.Problem{Code: wire.CodeNever}, isLost},
		"invalid":     {422, wire.Problem{Code: wire.CodeInvalid}, isPermanent},
		"other body":  {409, wire.Problem{Code: wire.CodeConflict}, isPermanent},
		"malformed":   {400, wire.Problem{Code: wire.CodeMalformed}, isPermanent},
		"too large":   {413, wire.Problem{Code: wire.CodeTooLarge}, isPermanent},
		"what is it?": {418, wire.Problem{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDaemon(t, "a")
				d.judge = func(*wire.Submission) *wire.Answer {
					p := test.p
					p.Text = "because of the test"
					return &wire.Answer{Status: test.status, Problem: &p}
				}
				e := open(t, remote.Config{}, d)
				c := start(t, e, "a", "k1")
				<-c.done
				if test.check != nil {
					test.check(t, c.err)
				}
				require.ErrorContains(t, c.err, "because of the test")
			})
		})
	}
}

// A lost answer has the same submitted again, and a refusal then says nothing of the
// request that may still be on its way (E4).
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.lose = 3
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		sleep(time.Minute)
		require.Equal(t, 1, d.task(t, "k1").starts)
		require.Equal(t, 4, d.count("submission"))
		d.completes(t, c)
	})
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.lose = 1
		refusing := true
		d.judge = func(*wire.Submission) *wire.Answer {
			if refusing {
				return &wire.Answer{Status: http.StatusTooManyRequests, Problem: &wire.Problem{
					Text: "no room", Code: wire.CodeNoRoom, RetryAfter: 1,
				}}
			}
			return nil
		}
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		sleep(time.Minute)
		require.False(t, c.over(), "%v", c.err)
		d.set(func() { refusing = false })
		sleep(time.Minute)
		d.completes(t, c)
	})
}

// A submission that nobody answers is made again, although there is nothing else to say
// in the same request.
func TestSilentSubmission(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		silent := true
		d.between = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !silent {
				return false
			}
			silent = false
			_, _ = io.Copy(io.Discard, r.Body)
			return true
		}
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		sleep(time.Minute)
		d.completes(t, c)
	})
}

// What a proxy answers says nothing of what became of a submission, whatever its
// status: it may have passed it on before (E3, E4).
func TestAnswersOfProxies(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 408, 410, 413, 422, 429, 502, 503} {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			d.between = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				lines := bufio.NewScanner(r.Body)
				lines.Scan()
				sub, err := wire.ParseSubmission(lines.Bytes())
				if err != nil {
					panic(err)
				}
				d.set(func() { d.accept(sub, r.Header.Get(wire.HeaderSession)) })
				http.Error(w, "somebody else speaks", status)
				return true
			}
			e := open(t, remote.Config{}, d)
			c := start(t, e, "a", "k1")
			sleep(time.Minute)
			require.False(t, c.over(), "%d: %v", status, c.err)
			require.Less(t, d.count("POST /api/v1/tasks"), 100, "it is not asked all the time")
			d.set(func() { d.between = nil })
			sleep(time.Minute)
			d.completes(t, c)
			require.Equal(t, 1, d.task(t, "k1").starts)
		})
	}
}

func TestStopping(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cause error
		want  executor.Result
	}{
		"cancelled": {context.Canceled, executor.Result{ExitCode: 7, Node: "a"}},
		"time limit": {executor.ErrTimeLimit, executor.Result{
			ExitCode: 7, Node: "a", Cause: executor.CauseTime,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, _, c := running(t, remote.Config{})
				c.cancel(test.cause)
				<-c.done
				require.NoError(t, c.err)
				require.Equal(t, test.want, c.result)
			})
		})
	}
}

func TestDetach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _, c := submitted(t, remote.Config{})
		c.cancel(executor.ErrDetach)
		<-c.done
		require.ErrorIs(t, c.err, executor.ErrDetach)
		require.Zero(t, d.count("DELETE /api/v1/task/k1"))
		// Another engine finds it.
		other := open(t, remote.Config{}, d)
		again := start(t, other, "a", "k1", resumed)
		synctest.Wait()
		require.True(t, d.task(t, "k1").sub.Resumed)
		d.completes(t, again)
		require.Equal(t, 1, d.task(t, "k1").starts)
	})
}

func TestClosedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1", func(c *call) { c.cancel(context.Canceled) })
		<-c.done
		require.ErrorIs(t, c.err, context.Canceled)
		require.Equal(t, 1, d.count("DELETE /api/v1/task/k1"))
		c = start(t, e, "a", "k1")
		<-c.done
		isLost(t, c.err)
	})
}

// A key that belongs to another session is asked for, and stays the other's.
func TestMovedAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		old, young := open(t, remote.Config{}, d), open(t, remote.Config{}, d)
		first := start(t, old, "a", "k1")
		synctest.Wait()
		d.runs("k1")
		synctest.Wait()
		second := start(t, young, "a", "k1", resumed)
		synctest.Wait()
		d.completes(t, second)
		<-first.done
		require.NoError(t, first.err)
		require.Positive(t, d.count("GET /api/v1/task/k1"))
	})
}

// Who has lost an attempt to another engine, which has recorded its outcome, hears
// that nothing runs any more.
func TestMovedAndAcknowledged(t *testing.T) {
	t.Parallel()
	for _, stop := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			old := open(t, remote.Config{}, d)
			c := start(t, old, "a", "k1")
			synctest.Wait()
			d.runs("k1")
			synctest.Wait()
			d.set(func() {
				session := d.tasks["k1"].session
				d.tasks["k1"].session = "another"
				d.tasks["k1"].state = wire.State{Key: "k1", State: wire.Closed}
				d.moved[session] = []string{"k1"}
			})
			if stop {
				c.cancel(context.Canceled)
			}
			sleep(time.Minute)
			require.True(t, c.over())
			if stop {
				require.ErrorIs(t, c.err, context.Canceled)
				return
			}
			isLost(t, c.err)
		})
	}
}

// That an attempt went to another engine is told once, and may be lost with the stream.
func TestMovedUnheard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		old, young := open(t, remote.Config{}, d), open(t, remote.Config{}, d)
		first := start(t, old, "a", "k1")
		synctest.Wait()
		d.runs("k1")
		synctest.Wait()
		d.set(func() {
			d.tasks["k1"].session = "another"
			d.cut = true
		})
		d.hangUp()
		synctest.Wait()
		d.set(func() { d.cut = false })
		sleep(time.Minute)
		second := start(t, young, "a", "k1", resumed)
		synctest.Wait()
		d.completes(t, second)
		<-first.done
		require.NoError(t, first.err)
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

// Output that was evicted just before it could be fetched is missed too.
func TestOutputThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.between = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, wire.PathStdout) {
				return false
			}
			w.WriteHeader(http.StatusGone)
			_, _ = io.WriteString(w, `{"error":"the output is not kept","code":"closed"}`)
			return true
		}
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
