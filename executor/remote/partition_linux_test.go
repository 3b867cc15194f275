package remote_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/runner"
)

// A partition that is longer than the lease, with Replace: what ran behind it is
// stopped there and runs elsewhere, never at the same time, and the run completes.
func TestPartitionLongerThanTheLease(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*machine){
		"the network is cut":      func(m *machine) { m.proxy.Hold() },
		"the daemon is killed":    func(m *machine) { m.kill() },
		"the daemon stands still": func(m *machine) { m.signal(unix.SIGSTOP) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := boot(t, "a", cores(2)), boot(t, "b", cores(2))
			e := fleet(t, remote.Config{
				OnUnreachable: remote.Replace,
				Lease:         4 * time.Second, Margin: 500 * time.Millisecond,
			}, a, b)
			dir := t.TempDir()
			d := marking(dir, 6, 8*time.Second) // longer than a lease
			for i := range d.Tasks {
				d.Tasks[i].Parents = nil
			}
			r := &runner.Runner{Executor: e, Lost: runner.Backoff{Min: time.Millisecond}}
			h, err := r.Start(t.Context(), d)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return marks(t, dir)["begin"] >= 4 }, patience,
				10*time.Millisecond)
			cut(a)
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			report, err := h.Wait(ctx)
			require.NoError(t, err)
			require.Equal(t, len(d.Tasks), report.Counts[runner.Completed])
			moved := 0
			for task := range report.Tasks() {
				require.Equal(t, "b", task.Node)
				moved += task.Attempts - 1
			}
			require.Equal(t, 2, moved, "what ran on a when it was cut off")
			a.proxy.Heal()
			if a.process != nil {
				a.signal(unix.SIGCONT)
			}
			counts := marks(t, dir)
			require.Zero(t, counts["twice"], "%v", counts)
			for _, name := range names(d) {
				require.Equal(t, 1, counts["end "+name], "%v", counts)
			}
		})
	}
}
