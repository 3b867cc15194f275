package slurm_test

import (
	"testing"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/internal/integration/servertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	cluster := count(servertest.StartSlurm(t, servertest.SlurmConfig{CPUs: 32}))
	dirs := map[executor.Executor]string{}
	open := func(dir string, grace time.Duration) executor.Executor {
		c := cluster.config(dir)
		c.Grace = grace
		e := slurm.New(c)
		dirs[e] = dir
		return e
	}
	const patient, impatient = 10 * time.Second, 100 * time.Millisecond
	executortest.Run(t, executortest.Config{
		New: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return open(tb.TempDir(), patient)
		},
		Impatient: func(tb testing.TB) executor.Executor {
			tb.Helper()
			return open(tb.TempDir(), impatient)
		},
		Restart: func(_ testing.TB, ex executor.Executor) executor.Executor {
			return open(dirs[ex], patient)
		},
		Kill: func(tb testing.TB, _ executor.Executor) {
			tb.Helper()
			cluster.KillJobs(tb)
		},
		Jobs:   executortest.Processes(),
		Weaker: executortest.Weaker{NoPanics: "commands are other processes"},
	})
}
