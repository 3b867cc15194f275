package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// atOnce is how many processes there are at a time.
const atOnce = 64

// BenchmarkProcesses is 2,000 processes that do nothing, through a daemon and through
// the executor that it uses.
func BenchmarkProcesses(b *testing.B) {
	const n = 2000
	b.Run("reference=fork", func(b *testing.B) { benchFork(b, "", n) })
	b.Run("reference=durablefork", func(b *testing.B) { benchFork(b, newSite(b).dir, n) })
	b.Run("daemon", func(b *testing.B) {
		s := newSite(b)
		d := spawnDaemon(b, role{Dir: s.dir, Cores: atOnce})
		results := listen(b, &d.daemon, "s1")
		round := 0
		for b.Loop() {
			round++
			d.processes(b, s.key(fmt.Sprint(round)), n, results)
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "processes/s")
	})
}

func benchFork(b *testing.B, dir string, n int) {
	b.Helper()
	s := newSite(b)
	ex := fork.New(fork.Config{Dir: dir, Capacity: capacity.Resources{dag.Cores: atOnce}})
	round := 0
	for b.Loop() {
		round++
		var running sync.WaitGroup
		slots := make(chan struct{}, atOnce)
		for i := range n {
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots }()
				res, err := ex.Run(context.Background(), &executor.Attempt{
					Run: "r", Task: "t", Instance: "t", Number: 1,
					Key: s.key(fmt.Sprintf("%d-0-%d-1", round, i)), Job: dag.Command("true"),
					Stdout: io.Discard, Stderr: io.Discard,
				})
				if err != nil || !res.OK() {
					panic(fmt.Sprint(res, err))
				}
			})
		}
		running.Wait()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "processes/s")
}

// processes has as many processes run as the daemon takes at a time.
func (c *child) processes(tb testing.TB, prefix string, n int, results <-chan wire.State) {
	tb.Helper()
	free, sent := atOnce, 0
	for over := 0; over < n; {
		var body strings.Builder
		for ; free > 0 && sent < n; free-- {
			_, _ = fmt.Fprintf(&body, `{"key":"%s-0-%d-1","run":"r","task":"t","number":1,`+
				`"job":{"command":["true"]},"stdout":"drop","stderr":"drop"}`+"\n", prefix, sent)
			sent++
		}
		if body.Len() > 0 {
			got := c.ask(tb, "s1", http.MethodPost, wire.PathTasks, body.String())
			require.Equal(tb, http.StatusOK, got.status)
			require.NotContains(tb, string(got.body), "error")
		}
		st := <-results
		for more := true; more; {
			if st.State == wire.Ended {
				require.True(tb, st.Outcome.Result.OK())
				over++
				free++
			}
			select {
			case st = <-results:
			default:
				more = false
			}
		}
	}
}
