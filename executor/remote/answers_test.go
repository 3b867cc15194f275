package remote_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A connection that cannot be made costs more and more time, although the stream is
// there, and then the stream too: to write a submission is not to have it answered.
func TestSubmissionsBackOff(t *testing.T) {
	t.Parallel()
	for range 10 {
		synctest.Test(t, func(t *testing.T) {
			d := newDaemon(t, "a")
			e := open(t, remote.Config{}, d)
			synctest.Wait()
			d.set(func() { d.cut = true })
			c := start(t, e, "a", "k1")
			<-c.done
			isLost(t, c.err)
			require.Less(t, d.count("dial"), 30)
			d.set(func() { d.cut = false })
		})
	}
}

// A node that has refused whatever was asked takes work again when it can, although
// nothing is left to be asked.
func TestNodeIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		refusing := true
		d.between = func(w http.ResponseWriter, r *http.Request) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			if refusing && r.Method != http.MethodGet {
				_ = http.NewResponseController(w).EnableFullDuplex()
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
			return false
		}
		e := open(t, remote.Config{}, d)
		c := start(t, e, "a", "k1")
		sleep(5 * time.Minute)
		require.Contains(t, e.Nodes()[0].Trouble, "requests in a row have failed")
		c.cancel(executor.ErrDetach)
		<-c.done
		sleep(time.Minute)
		d.set(func() { refusing = false })
		sleep(time.Minute)
		require.Empty(t, e.Nodes()[0].Trouble)
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
