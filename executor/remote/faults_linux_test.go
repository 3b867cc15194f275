package remote_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/internal/helperproc"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog/filelog"
)

// The original's golden case (C1), through three daemons: 2 cores and 5 GiB on (70,
// 20 GiB), (4, 80 GiB) and (10, 30 GiB) free have an impact of 25, 50 and 20 %.
func TestGoldenPlacement(t *testing.T) {
	t.Parallel()
	has := func(cores, gib int64) capacity.Resources {
		return capacity.Resources{dag.Cores: cores, dag.MemoryMB: gib << 10}
	}
	e := fleet(t, remote.Config{}, boot(t, "runner1", has(70, 20)), boot(t, "runner2", has(4, 80)),
		boot(t, "runner3", has(10, 30)))
	job := dag.Command(helperproc.Command("exit", "0")...)
	job.Resources = has(2, 5)
	r := &runner.Runner{Executor: e}
	report, err := r.Run(t.Context(), &dag.DAG{Tasks: []dag.Task{{Name: "golden", Job: job}}})
	require.NoError(t, err)
	task, _ := report.Task("golden")
	require.Equal(t, "runner3", task.Node)

	// What no node can ever do fails at once, with the best offer.
	job.Resources = has(71, 5)
	_, err = r.Run(t.Context(), &dag.DAG{Tasks: []dag.Task{{Name: "giant", Job: job}}})
	require.ErrorIs(t, err, dag.ErrInvalid)
	require.ErrorContains(t, err, "needs 71 cores, the largest node has 70")
}

// disturb does something to one of the machines, now and then, until stop is called.
func disturb(t *testing.T, faults func(rng *rand.Rand, i int)) (stop func()) {
	t.Helper()
	done, over := make(chan struct{}), make(chan struct{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	go func() {
		defer close(over)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(time.Duration(rng.IntN(200)) * time.Millisecond):
				faults(rng, i)
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

// runMarking runs a DAG of marking tasks while something disturbs it, and returns what
// became of them.
func runMarking(
	t *testing.T, e *remote.Executor, faults func(rng *rand.Rand, i int),
) []runner.TaskReport {
	t.Helper()
	dir := t.TempDir()
	d := marking(dir, 48, 100*time.Millisecond)
	log, err := filelog.Open(t.Context(), filepath.Join(dir, "log"), filelog.Config{})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	stop := disturb(t, faults)
	report, err := (&runner.Runner{Executor: e, Log: log}).Run(ctx, d)
	stop()
	require.NoError(t, err)
	require.Equal(t, len(d.Tasks), report.Counts[runner.Completed])
	requireOnce(t, dir, d)
	return slices.Collect(report.Tasks())
}

// Daemons that are killed and come back run everything, once.
func TestDaemonsAreKilled(t *testing.T) {
	t.Parallel()
	machines := []*machine{boot(t, "a", cores(3)), boot(t, "b", cores(3))}
	e := fleet(t, remote.Config{}, machines...)
	runMarking(t, e, func(rng *rand.Rand, _ int) {
		m := machines[rng.IntN(len(machines))]
		m.kill()
		m.start()
	})
}

// Daemons that stand still are waited for.
func TestDaemonsStandStill(t *testing.T) {
	t.Parallel()
	machines := []*machine{boot(t, "a", cores(3)), boot(t, "b", cores(3))}
	e := fleet(t, remote.Config{}, machines...)
	runMarking(t, e, func(rng *rand.Rand, _ int) {
		m := machines[rng.IntN(len(machines))]
		m.signal(unix.SIGSTOP)
		<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
		m.signal(unix.SIGCONT)
	})
}

// A network that loses answers, cuts connections, closes them half, holds everything
// back and delays it starts nothing twice and loses nothing.
func TestBadNetwork(t *testing.T) {
	t.Parallel()
	machines := []*machine{boot(t, "a", cores(3)), boot(t, "b", cores(3))}
	e := fleet(t, remote.Config{}, machines...)
	lost := 0
	runMarking(t, e, func(rng *rand.Rand, i int) {
		p := machines[rng.IntN(len(machines))].proxy
		switch i % 6 {
		case 0:
			p.LoseAnswers(1 + rng.IntN(3))
		case 1:
			p.Cut()
		case 2:
			p.HalfClose()
		case 3:
			p.Hold()
			<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
			p.Cut() // what was held is lost
			p.Heal()
		case 4:
			p.Hold()
			<-time.After(time.Duration(rng.IntN(300)) * time.Millisecond)
			p.Heal()
		case 5:
			p.Refuse()
			<-time.After(time.Duration(rng.IntN(100)) * time.Millisecond)
			p.Heal()
			p.Delay(time.Duration(rng.IntN(5)) * time.Millisecond)
		}
		lost = machines[0].proxy.Lost() + machines[1].proxy.Lost()
	})
	require.Positive(t, lost, "no answer was lost: the test did not test that")
}

// Attempts of an engine that was killed are found by the next one.
func TestEngineIsKilled(t *testing.T) {
	t.Parallel()
	killEngines(t, func() {})
}

// killEngines kills one engine after another until one completes the run. Something
// happens between them.
func killEngines(t *testing.T, between func()) {
	t.Helper()
	dir := t.TempDir()
	urls := map[string]string{}
	for _, name := range []string{"a", "b"} {
		urls[name] = boot(t, name, cores(3)).node().URL
	}
	config, err := json.Marshal(engineConfig{Dir: dir, URLs: urls})
	require.NoError(t, err)
	d := marking(dir, engineTasks, enginePause)
	killed := 0
	for done := false; !done; {
		words := helperproc.Command("engine", string(config))
		engine := exec.Command(words[0], words[1:]...)
		engine.Stderr = os.Stderr
		require.NoError(t, engine.Start())
		timer := time.AfterFunc(time.Duration(600+rand.IntN(600))*time.Millisecond, func() {
			_ = engine.Process.Kill()
		})
		err := engine.Wait()
		if timer.Stop(); err == nil {
			done = true
		} else {
			killed++
			require.Equal(t, -1, engine.ProcessState.ExitCode(), "%v", err)
			between()
		}
		require.Less(t, killed, 100)
	}
	t.Logf("%d engines were killed", killed)
	requireOnce(t, dir, d)
}

type engineConfig struct {
	Dir  string
	URLs map[string]string
}

const (
	engineTasks = 24
	enginePause = 300 * time.Millisecond
)

// runEngine is an engine that goes on with a run: CONFIG.
func runEngine(args []string) (int, error) {
	var c engineConfig
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return 0, err
	}
	ctx := context.Background()
	log, err := filelog.Open(ctx, filepath.Join(c.Dir, "log"), filelog.Config{})
	if err != nil {
		return 0, err
	}
	var nodes []remote.Node
	for name, url := range c.URLs {
		nodes = append(nodes, remote.Node{Name: name, URL: url})
	}
	e, err := remote.New(remote.Config{Nodes: nodes})
	if err != nil {
		return 0, err
	}
	r := &runner.Runner{Executor: e, Log: log, Poison: -1}
	h, err := r.Ensure(ctx, "r", marking(c.Dir, engineTasks, enginePause))
	if err != nil {
		return 0, err
	}
	if _, err := h.Wait(ctx); err != nil {
		return 0, err
	}
	return 0, nil
}

// Two engines share a daemon, and never have more of it than it has, as its tasks see
// it themselves.
func TestTwoEnginesShareADaemon(t *testing.T) {
	t.Parallel()
	const slots, tasks = 3, 60
	m := boot(t, "a", cores(slots))
	dir := t.TempDir()
	done := make(chan error, 2)
	for i := range 2 {
		d := &dag.DAG{}
		for k := range tasks {
			d.Tasks = append(d.Tasks, dag.Task{
				Name: fmt.Sprintf("e%dt%d", i, k),
				Job:  dag.Command(helperproc.Command("slot", dir, fmt.Sprint(slots), "5ms")...),
			})
		}
		e := fleet(t, remote.Config{}, m)
		go func() {
			_, err := (&runner.Runner{Executor: e}).Run(t.Context(), d)
			done <- err
		}()
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	counts := marks(t, dir)
	require.Equal(t, 2*tasks, counts["end"], "%v", counts)
	require.Zero(t, counts["over"])
}
