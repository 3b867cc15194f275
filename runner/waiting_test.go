package runner_test

import (
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

// waiters is an executor whose attempts wait until they are let go.
type waiters struct {
	durable bool
	waiting sync.WaitGroup // until all have come
	gate    chan struct{}
}

func (*waiters) Validate(dag.Job) error { return nil }

func (w *waiters) Durable() bool { return w.durable }

func (*waiters) Forget(context.Context, ...string) error { return nil }

func (w *waiters) Run(_ context.Context, a *attempt) (res result, err error) {
	if a.Index < 2 {
		a.Report(executor.Status{Ref: "something", Running: true}) // it is recorded
	}
	w.waiting.Done()
	<-w.gate
	return res, err
}

// held is what the runtime holds, in bytes.
type held struct{ objects, stacks int }

func holds() held {
	runtime.GC()
	runtime.GC() // what is pooled goes only now
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
	}
	metrics.Read(s)
	return held{int(s[0].Value.Uint64()), int(s[1].Value.Uint64())}
}

// wait returns what n attempts that wait take each.
func wait(tb testing.TB, d *dag.DAG, n int, durable bool) held {
	tb.Helper()
	w := &waiters{durable: durable, gate: make(chan struct{})}
	w.waiting.Add(n)
	r := runner.Runner{Executor: w, MaxRunning: n}
	before := holds()
	h, err := r.Start(tb.Context(), d)
	require.NoError(tb, err)
	w.waiting.Wait()
	after := holds()
	close(w.gate)
	_, err = h.Wait(tb.Context())
	require.NoError(tb, err)
	return held{(after.objects - before.objects) / n, (after.stacks - before.stacks) / n}
}

// An attempt that waits does not hold what its worker had ready for many, nor the
// plan what the first records of a run took.
func TestWaitingTakesLittle(t *testing.T) { //nolint:paralleltest // others would be counted
	const n = 2000
	d := instances(n)
	wait(t, d, n, false) // goroutines are there for the next time
	for _, durable := range []bool{false, true} {
		// It is 900, and was 3,900.
		require.Less(t, wait(t, d, n, durable).objects, 1100, "durable: %v", durable)
	}
}

// BenchmarkWaiting measures what attempts that wait take.
func BenchmarkWaiting(b *testing.B) {
	const n = 5000
	d := instances(n)
	for name, durable := range map[string]bool{"plain": false, "durable": true} {
		b.Run("executor="+name, func(b *testing.B) {
			var h held
			for b.Loop() {
				h = wait(b, d, n, durable)
			}
			b.ReportMetric(float64(h.objects), "heap-B/attempt")
			b.ReportMetric(float64(h.stacks), "stack-B/attempt")
		})
	}
}
