package remote_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/internal/chaos"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// modes are what processes of these tests do.
func modes() map[string]helperproc.Mode {
	return map[string]helperproc.Mode{
		"daemon": runDaemon, "mark": mark, "slot": slot, "engine": runEngine,
		"island": runIsland,
	}
}

// patience is how long a test waits for what has to happen.
const patience = 2 * time.Minute

// A daemonConfig is what a daemon process is told.
type daemonConfig struct {
	Dir, Node string
	Address   string
	Grace     time.Duration
	Capacity  capacity.Resources
	Ephemeral bool
	Limits    fork.Limits
	// Noop: attempts succeed at once. Hold: they go on until they are stopped.
	Noop, Hold bool
	// Link is the interface of a network of its own, which it waits for. Then it listens
	// as one has to on a network.
	Link      string
	TokenFile string
	TLS       agent.TLS
}

// executor is what the daemon runs attempts with. Nil: the default.
func (c *daemonConfig) executor() executor.Executor {
	switch {
	case c.Noop:
		return executor.RunFunc(func(
			context.Context, *executor.Attempt,
		) (executor.Result, error) {
			return executor.Result{}, nil
		})
	case c.Hold:
		return executor.RunFunc(func(
			ctx context.Context, a *executor.Attempt,
		) (executor.Result, error) {
			a.Report(executor.Status{Running: true})
			<-ctx.Done()
			return executor.Result{ExitCode: 1}, nil
		})
	}
	return nil
}

// runDaemon is a runner daemon: CONFIG. It prints its address when it listens.
func runDaemon(args []string) (int, error) {
	var c daemonConfig
	if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	auth := agent.Auth{InsecureLoopback: true}
	if c.Link != "" {
		auth = agent.Auth{TokenFile: c.TokenFile}
		if err := c.join(ctx); err != nil {
			return 0, err
		}
	}
	a, err := agent.New(ctx, agent.Config{
		Dir: c.Dir, Node: c.Node, Capacity: c.Capacity, Grace: c.Grace, Ephemeral: c.Ephemeral,
		Limits: c.Limits, Executor: c.executor(), Auth: auth, AllowRoot: c.Link != "",
	})
	if err != nil {
		return 0, err
	}
	err = a.Serve(ctx, agent.Listening{Address: c.Address, TLS: c.TLS}, func(address string) {
		_, _ = fmt.Fprintln(os.Stdout, address)
	})
	patient, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return 0, errors.Join(err, a.Shutdown(patient))
}

// A machine is a daemon process and the network to it.
type machine struct {
	t       testing.TB
	config  daemonConfig
	proxy   *chaos.Proxy
	process *exec.Cmd
}

// boot starts a daemon with a capacity of so many cores, behind a network that can be
// disturbed.
func boot(tb testing.TB, name string, own capacity.Resources) *machine {
	tb.Helper()
	return bootAs(tb, daemonConfig{Node: name, Capacity: own})
}

func bootAs(tb testing.TB, c daemonConfig) *machine {
	tb.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(tb.TempDir(), c.Node)
	}
	c.Grace = 200 * time.Millisecond
	c.Address = "127.0.0.1:0"
	if c.Capacity[dag.MemoryMB] == 0 {
		c.Capacity[dag.MemoryMB] = 100
	}
	m := &machine{t: tb, config: c}
	tb.Cleanup(m.clear)
	address := m.start()
	var err error
	m.proxy, err = chaos.New(address)
	require.NoError(tb, err)
	tb.Cleanup(m.proxy.Close)
	// The next daemon of this machine is found at the same place.
	m.config.Address = address
	return m
}

// start starts the daemon and returns its address.
func (m *machine) start() string {
	m.t.Helper()
	config, err := json.Marshal(m.config)
	require.NoError(m.t, err)
	words := helperproc.Command("daemon", string(config))
	m.process = exec.Command(words[0], words[1:]...)
	m.process.Stderr = os.Stderr
	out, err := m.process.StdoutPipe()
	require.NoError(m.t, err)
	require.NoError(m.t, m.process.Start())
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(m.t, err)
	return strings.TrimSpace(address)
}

// kill ends the daemon with SIGKILL.
func (m *machine) kill() {
	if m.process != nil {
		_ = m.process.Process.Kill()
		_ = m.process.Wait()
		m.process = nil
	}
}

func (m *machine) signal(s unix.Signal) {
	m.t.Helper()
	require.NoError(m.t, m.process.Process.Signal(s))
}

// clear ends everything that belongs to the machine, the supervisor included.
func (m *machine) clear() {
	m.kill()
	require.Eventually(m.t, func() bool {
		for _, pid := range processesOf(m.t, m.config.Dir) {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		return len(processesOf(m.t, m.config.Dir)) == 0 && os.RemoveAll(m.config.Dir) == nil
	}, patience, 10*time.Millisecond)
}

// processesOf are those that have a text in their arguments, each of which ends with a
// zero byte.
func processesOf(tb testing.TB, dir string) []int {
	tb.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(tb, err)
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		if err == nil && strings.Contains(string(line), dir) {
			found = append(found, pid)
		}
	}
	return found
}

// node is how an executor is told of the machine.
func (m *machine) node() remote.Node {
	return remote.Node{Name: m.config.Node, URL: "http://" + m.proxy.Addr()}
}

// fleet returns an executor for machines.
func fleet(tb testing.TB, c remote.Config, machines ...*machine) *remote.Executor {
	tb.Helper()
	c.MaxBackoff = 500 * time.Millisecond
	for _, m := range machines {
		c.Nodes = append(c.Nodes, m.node())
	}
	e, err := remote.New(c)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	require.NoError(tb, e.Await(ctx))
	return e
}

// Tasks say themselves that they run, in files that all machines of a test see. Nobody
// who gets something wrong can also make them say that it was right.

// mark is a task: DIR NAME DURATION. It writes when it begins and ends, and whether
// another copy was there at the same time.
func mark(args []string) (int, error) {
	dir, name := args[0], args[1]
	pause, err := time.ParseDuration(args[2])
	if err != nil {
		return 0, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return 0, note(dir, "twice", name)
	}
	if err := note(dir, "begin", name); err != nil {
		return 0, err
	}
	<-time.After(pause)
	return 0, note(dir, "end", name)
}

// slot is a task that needs a part of a machine: DIR SLOTS DURATION. It writes whether
// there was one that nobody had.
func slot(args []string) (int, error) {
	dir := args[0]
	slots, err := strconv.Atoi(args[1])
	if err != nil {
		return 0, err
	}
	pause, err := time.ParseDuration(args[2])
	if err != nil {
		return 0, err
	}
	for i := range slots {
		path := filepath.Join(dir, fmt.Sprintf("slot%d.lock", i))
		lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return 0, err
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			<-time.After(pause)
			return 0, note(dir, "end", "slot")
		}
		_ = lock.Close()
	}
	return 0, note(dir, "over", "slot")
}

// note appends a line to the marks, all at once.
func note(dir, what, name string) error {
	f, err := os.OpenFile(filepath.Join(dir, "marks"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(what + " " + name + "\n")
	return errors.Join(err, f.Close())
}

// marks counts what tasks have written.
func marks(t *testing.T, dir string) map[string]int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "marks"))
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(t, err)
	}
	counts := map[string]int{}
	for line := range strings.Lines(string(data)) {
		counts[strings.TrimSpace(line)]++
		counts[strings.Fields(line)[0]]++
	}
	return counts
}

// marking is a DAG of tasks that mark, of which each takes that long: a few layers, so
// that some wait for others.
func marking(dir string, tasks int, pause time.Duration) *dag.DAG {
	d := &dag.DAG{}
	for i := range tasks {
		name := fmt.Sprintf("t%d", i)
		task := dag.Task{Name: name, Job: dag.Command(
			helperproc.Command("mark", dir, name, pause.String())...)}
		if i >= tasks/2 {
			task.Parents = []string{fmt.Sprintf("t%d", i-tasks/2)}
		}
		d.Tasks = append(d.Tasks, task)
	}
	return d
}

// requireOnce checks that each task of a DAG ran, and once only.
func requireOnce(t *testing.T, dir string, d *dag.DAG) {
	t.Helper()
	counts := marks(t, dir)
	require.Zero(t, counts["twice"], "two copies at once: %v", counts)
	wrong := slices.DeleteFunc(names(d), func(name string) bool {
		return counts["begin "+name] == 1 && counts["end "+name] == 1
	})
	require.Empty(t, wrong, "%v", counts)
}

func names(d *dag.DAG) []string {
	var all []string
	for _, task := range d.Tasks {
		all = append(all, task.Name)
	}
	return all
}
