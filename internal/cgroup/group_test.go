//go:build linux

package cgroup_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// firstThread is played in the first thread of its process.
const firstThread = "first-thread"

func init() {
	if len(os.Args) > 2 && os.Args[2] == firstThread {
		runtime.LockOSThread()
	}
}

func TestMain(m *testing.M) {
	helperproc.Main(map[string]helperproc.Mode{
		firstThread: playFirstThread,
		"owner":     playOwner,
		"where":     playWhere,
		"burn":      playBurn,
	})
	code := m.Run()
	p := cgroup.NewPool(cgroup.Config{})
	_, _ = p.Abilities() // removes what others left who were killed
	for len(p.Dirs()) > 0 {
		<-time.After(time.Millisecond)
	}
	os.Exit(code)
}

// ways are the pools that can be made on this machine: those of each version that it
// has, and of both.
func ways(tb testing.TB) map[string]cgroup.Config {
	tb.Helper()
	all := map[string]cgroup.Config{
		"all there is": {},
		"version 1":    {Version: 1},
		"version 2":    {Version: 2},
	}
	for name, c := range all {
		can, err := cgroup.NewPool(c).Abilities()
		require.NoError(tb, err)
		tb.Logf("%s: memory: %v, cores: %v, pids: %v, tree: %v",
			name, can.Memory, can.Cores, can.Pids, can.Tree)
		if can.Tree != nil {
			delete(all, name)
		}
	}
	if len(all) == 0 {
		tb.Skip("this process may not make control groups on this machine")
	}
	return all
}

// A way is a test with a pool.
type way struct {
	*testing.T
	pool *cgroup.Pool
}

// forEachWay runs a test in each way, with a pool that leaves nothing.
func forEachWay(t *testing.T, test func(way)) {
	t.Helper()
	t.Parallel()
	for name, c := range ways(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := cgroup.NewPool(c)
			_, err := p.Abilities()
			require.NoError(t, err)
			dirs := p.Dirs()
			require.NotEmpty(t, dirs)
			t.Cleanup(func() {
				for _, dir := range append(dirs, p.Dirs()...) {
					require.Eventually(t, func() bool {
						_, err := os.Stat(dir)
						return errors.Is(err, os.ErrNotExist)
					}, patience, time.Millisecond, "%s is left", dir)
				}
			})
			test(way{t, p})
		})
	}
}

func take(tb testing.TB, p *cgroup.Pool, l cgroup.Limits) *cgroup.Group {
	tb.Helper()
	g, err := p.Take(l)
	require.NoError(tb, err)
	require.NotNil(tb, g)
	return g
}

// child is a process in a group.
type child struct {
	tb     testing.TB
	pid    int
	stdout *bufio.Reader
}

func begin(tb testing.TB, g *cgroup.Group, mode string, words ...string) *child {
	tb.Helper()
	r, w, err := os.Pipe()
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = r.Close() })
	argv := helperproc.Command(mode, words...)
	attr := &syscall.SysProcAttr{Setpgid: true}
	c := &child{tb: tb, stdout: bufio.NewReader(r)}
	require.NoError(tb, g.Start(attr, func() error {
		c.pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
			Env: os.Environ(), Files: []uintptr{0, w.Fd(), 2}, Sys: attr,
		})
		return err
	}))
	require.NoError(tb, w.Close())
	return c
}

func (c *child) line() string {
	c.tb.Helper()
	line, err := c.stdout.ReadString('\n')
	require.NoError(c.tb, err)
	return strings.TrimSpace(line)
}

func (c *child) wait() unix.WaitStatus {
	c.tb.Helper()
	var status unix.WaitStatus
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Wait4(c.pid, &status, 0, nil)
	}
	require.NoError(c.tb, err)
	return status
}

// gone reports whether a process has ended.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.Contains("ZX", state[:1])
}

func requireGone(tb testing.TB, pid string) {
	tb.Helper()
	require.True(tb, gone(pid), pid)
}

func TestMemory(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Memory: 64 << 20})
		defer g.Release()
		status := begin(t, g, "memory", strconv.Itoa(200<<20)).wait()
		peak, killed := g.KilledForMemory()
		if g.Holds().Memory == 0 {
			require.False(t, killed)
			return
		}
		require.Equal(t, unix.SIGKILL, status.Signal())
		require.True(t, killed)
		require.InDelta(t, 64<<20, peak, 1<<20, "the kernel lets some through")
		_, again := g.KilledForMemory()
		require.False(t, again, "that is known now")
	})
}

// Two threads of a group of one core take at least as long as one would, whatever else
// runs on the machine; and a group that has no time left is not used again.
func TestCores(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Cores: 1})
		if g.Holds().Cores == 0 {
			g.Release()
			return
		}
		began := time.Now()
		require.Zero(t, begin(t, g, "burn").wait())
		const much = 200 * time.Millisecond // what was given for the last period, and some more
		require.Greater(t, time.Since(began), burnt-much)
		exhausted := false
		for _, dir := range p.Dirs() {
			text, err := os.ReadFile(filepath.Join(dir, "1", "cpu.stat"))
			// Where there is no controller there is no such line.
			if err == nil && strings.Contains(string(text), "nr_throttled ") &&
				!strings.Contains(string(text), "nr_throttled 0\n") {
				exhausted = true
			}
		}
		g.Release()
		next := take(t, p, cgroup.Limits{Cores: 1})
		defer next.Release()
		require.Equal(t, !exhausted, g == next)
	})
}

// burnt is how much processor time is used for that.
const burnt = time.Second

// playBurn uses processor time with two threads.
func playBurn([]string) (int, error) {
	done := make(chan error)
	for range 2 {
		go func() {
			for {
				var used unix.Rusage
				err := unix.Getrusage(unix.RUSAGE_SELF, &used)
				if err != nil || used.Utime.Nano()+used.Stime.Nano() > int64(burnt) {
					done <- err
					return
				}
			}
		}()
	}
	return 0, errors.Join(<-done, <-done)
}

// A process of a group, and those that it starts, are in the group in every hierarchy
// that it takes, and the thread that started it is not.
func TestStart(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Memory: 64 << 20, Cores: 1, Pids: 100})
		defer g.Release()
		c := begin(t, g, "spawn", "sw", "hang")
		require.Equal(t, "ready", c.line())
		grandchild := c.line()
		own, err := os.ReadFile("/proc/self/cgroup")
		require.NoError(t, err)
		for _, pid := range []string{strconv.Itoa(c.pid), grandchild} {
			groups, err := os.ReadFile("/proc/" + pid + "/cgroup")
			require.NoError(t, err)
			for _, dir := range p.Dirs() {
				require.Contains(t, string(groups), "/daggy/"+filepath.Base(dir)+"/", dir)
			}
			require.Equal(t, len(p.Dirs()), strings.Count(string(groups), "/daggy/"))
		}
		require.Empty(t, g.Kill(time.Now().Add(patience)))
		c.wait()
		requireGone(t, grandchild)
		requireHome(t, string(own))
	})
}

// requireHome checks that no thread is anywhere but where this process is, or on its way.
func requireHome(tb testing.TB, own string) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		threads, err := filepath.Glob("/proc/self/task/*/cgroup")
		require.NoError(tb, err)
		for _, thread := range threads {
			groups, err := os.ReadFile(thread)
			if err == nil && string(groups) != own {
				return false
			}
		}
		return true
	}, patience, time.Millisecond)
}

// The first thread of a process is never moved.
func TestStartInTheFirstThread(t *testing.T) {
	forEachWay(t, func(t way) {
		argv := helperproc.Command(firstThread, t.Name())
		output, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
		require.NoError(t, err, string(output))
	})
}

func playFirstThread(args []string) (int, error) {
	if unix.Gettid() != os.Getpid() {
		return 0, errors.New("this is another thread")
	}
	c := cgroup.Config{}
	for _, version := range []int{1, 2} {
		if strings.HasSuffix(args[0], fmt.Sprint("version_", version)) {
			c = cgroup.Config{Version: version}
		}
	}
	g, err := cgroup.NewPool(c).Take(cgroup.Limits{Pids: 100})
	if err != nil {
		return 0, err
	}
	defer g.Release()
	return 0, g.Start(&syscall.SysProcAttr{}, func() error {
		groups, err := os.ReadFile("/proc/self/cgroup") // of the first thread
		if strings.Contains(string(groups), "daggy") {
			err = fmt.Errorf("it was moved: %s", groups)
		}
		return err
	})
}

// Everything is killed: what has left its session, and what is in groups of its own.
func TestKill(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Pids: 1000})
		defer g.Release()
		var pids []string
		var children []*child
		for range 3 {
			c := begin(t, g, "spawn", "sctw", "trap")
			require.Equal(t, "ready", c.line())
			pids = append(pids, c.line(), strconv.Itoa(c.pid))
			children = append(children, c)
		}
		below := filepath.Join(p.Dirs()[0], "1", "below")
		require.NoError(t, os.Mkdir(below, 0o755))
		require.NoError(t, os.WriteFile(below+"/cgroup.procs", []byte(pids[0]), 0))
		require.Len(t, g.Kill(time.Time{}), len(pids), "what is there before it is killed")
		require.Empty(t, g.Kill(time.Now().Add(patience)))
		for _, c := range children {
			require.Equal(t, unix.SIGKILL, c.wait().Signal())
		}
		for _, pid := range pids {
			requireGone(t, pid)
		}
	})
}

// A group is used again if it is as it was found, and only then.
func TestReuse(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		limits := cgroup.Limits{Memory: 64 << 20, Cores: 1, Pids: 100}
		used := func(mode string, words ...string) *cgroup.Group {
			g := take(t, p, limits)
			begin(t, g, mode, words...).wait()
			g.Release()
			return g
		}
		first := used("exit", "0")
		require.Same(t, first, used("exit", "0"))
		isNext := func(g *cgroup.Group, l cgroup.Limits) bool {
			next := take(t, p, l)
			defer next.Release()
			return next == g
		}
		require.False(t, isNext(first, cgroup.Limits{Pids: 7}), "it has other limits")
		require.Same(t, first, take(t, p, limits))
		require.False(t, isNext(first, limits), "it is in use")
		first.Release()

		if first.Holds().Memory > 0 {
			g := take(t, p, limits)
			begin(t, g, "memory", strconv.Itoa(200<<20)).wait()
			g.Release() // nobody has asked what it was
			require.False(t, isNext(g, limits), "something was killed in it")

			file := filepath.Join("/dev/shm", "daggy-"+filepath.Base(p.Dirs()[0]))
			t.Cleanup(func() { _ = os.Remove(file) })
			g = take(t, p, limits)
			begin(t, g, "write", file, strconv.Itoa(8<<20)).wait()
			g.Release()
			require.False(t, isNext(g, limits), "memory is counted in it")
		}
		g := take(t, p, limits)
		hung := begin(t, g, "hang")
		require.Equal(t, "ready", hung.line())
		require.Empty(t, g.Kill(time.Now().Add(patience)))
		hung.wait()
		g.Release()
		next := take(t, p, limits)
		require.Zero(t, begin(t, next, "exit", "0").wait(), "it has nothing to do with that")
		next.Release()

		g = take(t, p, limits)
		c := begin(t, g, "spawn", "so", "hang")
		hanging := c.line()
		c.wait()
		g.Release()
		require.False(t, isNext(g, limits), "something runs in it")
		pid, err := strconv.Atoi(hanging)
		require.NoError(t, err)
		require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	})
}

// What the files say is what was asked for.
func TestLimitsAreWritten(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		g := take(t, p, cgroup.Limits{Memory: 64 << 20, Cores: 1, Pids: 77})
		defer g.Release()
		found := map[string]string{}
		for _, dir := range p.Dirs() {
			for _, name := range []string{
				"memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max", "pids.max",
			} {
				if text, err := os.ReadFile(filepath.Join(dir, "1", name)); err == nil {
					found[name] = strings.TrimSpace(string(text))
				}
			}
		}
		want := map[string]string{
			"memory.limit_in_bytes": "67108864", "memory.max": "67108864",
			"cpu.cfs_quota_us": "100000", "cpu.max": "100000 100000", "pids.max": "77",
		}
		n := 0
		for name, value := range found {
			require.Equal(t, want[name], value, name)
			n++
		}
		held := 0
		for _, limit := range []int64{g.Holds().Memory, g.Holds().Cores, g.Holds().Pids} {
			if limit > 0 {
				held++
			}
		}
		require.Equal(t, held, n)
	})
}

// playOwner is a program that runs something in a group, says what and where, and
// waits to be killed.
func playOwner(args []string) (int, error) {
	c := cgroup.Config{}
	switch args[0] {
	case "comes back":
		c.Note = func([]string) error { return nil }
	case "in version 1":
		c.Version = 1
	}
	p := cgroup.NewPool(c)
	g, err := p.Take(cgroup.Limits{Pids: 100})
	if err != nil {
		return 0, err
	}
	argv := helperproc.Command("trap")
	attr := &syscall.SysProcAttr{Setsid: true}
	var pid int
	err = g.Start(attr, func() (err error) {
		pid, err = syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{Sys: attr})
		return err
	})
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintln(os.Stdout, pid, strings.Join(p.Dirs(), ",")); err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return 0, err
}

// What somebody leaves behind who was killed is removed by who comes next, unless
// somebody comes back for it.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	how := map[string]bool{"for good": false, "comes back": true}
	if _, ok := ways(t)["version 1"]; ok {
		how["in version 1"] = false // also where the next one does not need that
	}
	for name, back := range how {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			argv := helperproc.Command("owner", name)
			owner := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
			_, err := owner.StdinPipe()
			require.NoError(t, err)
			stdout, err := owner.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, owner.Start())
			var pid int
			var list string
			_, err = fmt.Fscanln(stdout, &pid, &list)
			require.NoError(t, err)
			dirs := strings.Split(list, ",")

			next := func() {
				_, err := cgroup.NewPool(cgroup.Config{}).Abilities()
				require.NoError(t, err)
			}
			next()
			for _, dir := range dirs {
				require.DirExists(t, dir, "its owner lives")
			}
			require.NoError(t, owner.Process.Kill())
			require.Error(t, owner.Wait())
			next()
			if back {
				require.NoError(t, unix.Kill(pid, 0), "somebody comes back for it")
				r := cgroup.Recall(dirs)
				require.Subset(t, dirs, r.Dirs(), "those with nothing in them may be gone")
				require.False(t, r.Empty())
				r.Signal(unix.SIGTERM)
				require.False(t, r.Empty(), "it ignores that")
				require.True(t, r.Kill(time.Now().Add(patience)))
				r.Remove()
			}
			for _, dir := range dirs {
				// Another one who looks at the same time may be at it.
				require.Eventually(t, func() bool {
					next()
					_, err := os.Stat(dir)
					return errors.Is(err, os.ErrNotExist)
				}, patience, time.Millisecond, dir)
			}
			requireGone(t, strconv.Itoa(pid))
		})
	}
}

// A program in a group of version 2 whose parent was given to it makes its groups there,
// beside its own, as no group can have both processes and groups with controllers.
func TestGivenGroup(t *testing.T) {
	t.Parallel()
	config, ok := ways(t)["version 2"]
	if !ok {
		t.Skip("this process may not make control groups of version 2")
	}
	p := cgroup.NewPool(config)
	g := take(t, p, cgroup.Limits{})
	defer g.Release()
	for name, given := range map[string]bool{"given": true, "not given": false} {
		if !given && os.Geteuid() != 0 {
			continue // what a user makes is given to that user
		}
		parent := filepath.Join(p.Dirs()[0], "1", strings.ReplaceAll(name, " ", "-"))
		own := filepath.Join(parent, "engine")
		require.NoError(t, os.MkdirAll(own, 0o755))
		if given {
			require.NoError(t, unix.Setxattr(parent, "user.delegate", []byte("1"), 0))
		}
		dir, err := os.Open(own)
		require.NoError(t, err)
		argv := helperproc.Command("where")
		where := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		where.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
		output, err := where.CombinedOutput()
		require.NoError(t, err, string(output))
		require.NoError(t, dir.Close())
		want := own
		if given {
			want = parent
		}
		require.Equal(t, want+"/daggy", strings.TrimSpace(string(output)), name)
	}
}

// playWhere says where groups are made.
func playWhere([]string) (int, error) {
	p := cgroup.NewPool(cgroup.Config{Version: 2})
	g, err := p.Take(cgroup.Limits{})
	if err != nil {
		return 0, err
	}
	defer g.Release()
	_, err = fmt.Fprintln(os.Stdout, filepath.Dir(p.Dirs()[0]))
	return 0, err
}

// A list that cannot be written keeps groups from being made.
func TestNoteFails(t *testing.T) {
	t.Parallel()
	full := errors.New("full")
	p := cgroup.NewPool(cgroup.Config{Note: func([]string) error { return full }})
	_, err := p.Take(cgroup.Limits{})
	require.ErrorIs(t, err, full)
	require.Empty(t, p.Dirs())
}

// Many at the same time get groups of their own.
func TestMany(t *testing.T) {
	forEachWay(t, func(t way) {
		p := t.pool
		const n = 200
		done := make(chan error)
		for i := range n {
			go func() {
				g, err := p.Take(cgroup.Limits{Memory: int64(i%3) << 24, Pids: 100})
				if err != nil {
					done <- err
					return
				}
				defer g.Release()
				attr := syscall.ProcAttr{Sys: &syscall.SysProcAttr{}}
				var pid int
				err = g.Start(attr.Sys, func() (err error) {
					pid, err = syscall.ForkExec("/bin/true", []string{"true"}, &attr)
					return err
				})
				if err == nil {
					_, err = unix.Wait4(pid, nil, 0, nil)
				}
				done <- err
			}()
		}
		for range n {
			require.NoError(t, <-done)
		}
	})
}
