//go:build linux

package fork_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// limited are resources that the kernel can hold a command to.
var limited = dag.Resources{dag.MemoryMB: 64, dag.Cores: 1, fork.Pids: 64}

// ableToLimit reports whether this machine lets this process hold commands to limits.
func ableToLimit(tb testing.TB) bool {
	tb.Helper()
	job := helper("exit", "0")
	job.Resources = limited
	err := fork.RequireLimits(setup(tb)).Validate(job)
	tb.Log("limits:", err)
	return err == nil
}

// leaveNothing removes the control groups of all who have ended, and waits for its own
// and for those of this process to go.
func leaveNothing() {
	for range 2 {
		e := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsRequired}})
		_ = e.Validate(helper("exit", "0"))
		fork.AwaitGroups(e)
	}
}

func requireLimits(tb testing.TB) {
	tb.Helper()
	if !ableToLimit(tb) {
		tb.Skip("this process may not hold commands to limits on this machine")
	}
}

// waysToLimit are attempts that end with the engine, and those that do not.
func waysToLimit(t *testing.T) map[string]*fork.Executor {
	t.Helper()
	requireLimits(t)
	return map[string]*fork.Executor{
		"attached": fork.RequireLimits(setup(t)),
		"detached": fork.RequireLimits(detaching(place(t))),
	}
}

// Who takes more memory than it asked for is killed, and said to be; nobody else is.
func TestOutOfMemory(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			g := newGate(t)
			sibling := attempt(g.job("", 0))
			sibling.Job.Resources = limited
			c := begin(t, e, sibling)
			v := g.next()

			job := helper("memory", strconv.Itoa(200<<20))
			job.Resources = limited
			r, _, _ := run(t, e, job)
			require.Equal(t, executor.CauseMemory, r.Cause)
			require.Equal(t, "failure (out of memory)", r.String())
			require.Equal(t, "SIGKILL", r.Signal)
			require.InDelta(t, 64<<20, r.MaxRSS, 1<<20, "the kernel lets some through")
			require.Regexp(t, `^out of memory: it had 6[34](\.\d+)? MiB, and may have 64 MiB$`,
				r.Message)
			require.Empty(t, r.Unenforced)

			v.letGo(t)
			r, err := c.wait()
			require.NoError(t, err)
			require.True(t, r.OK(), r)
			require.Equal(t, "done", c.stdout.String())
		})
	}
}

// If the kernel kills a descendant, it is for the command to say what that means; in
// version 2 the kernel kills the command too.
func TestDescendantOutOfMemory(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			size := strconv.Itoa(200 << 20)
			job := helper("despite", "3", "memory", size)
			job.Resources = limited
			r, _, _ := run(t, e, job)
			require.Equal(t, executor.CauseMemory, r.Cause)
			require.True(t, r.ExitCode == 3 || r.Signal == "SIGKILL", "%+v", r)

			job = helper("despite", "0", "memory", size)
			job.Resources = limited
			r, _, _ = run(t, e, job)
			require.True(t, r.OK() || r.Cause == executor.CauseMemory, "%+v", r)
			job = helper("exit", "3")
			job.Resources = limited
			r, _, _ = run(t, e, job)
			require.Equal(t, "failure (exit 3)", r.String(), "that was another one's memory")
		})
	}
}

// Who takes less is not, and neither is who comes after one that was.
func TestEnoughMemory(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{1, 200, 1} {
				job := helper("memory", strconv.Itoa(size<<20))
				job.Resources = limited
				r, _, _ := run(t, e, job)
				require.Equal(t, size < 64, r.OK(), "%d MiB: %v", size, r)
			}
			job := helper("signal", "9")
			job.Resources = limited
			r, _, _ := run(t, e, job)
			require.Equal(t, "failure (SIGKILL)", r.String(), "by somebody else")
		})
	}
}

// So little memory that nothing can run is not tried for ever.
func TestHardlyAnyMemory(t *testing.T) {
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			a := attempt(helper("args", strings.Repeat("x", 100_000)))
			a.Job.Resources = dag.Resources{dag.MemoryMB: 1}
			r, err := e.Run(t.Context(), a)
			_, again := errors.AsType[*executor.NotStartedError](err)
			require.False(t, again, "%v", err)
			require.True(t, err != nil || r.Cause == executor.CauseMemory || r.OK(), "%v", r)
		})
	}
}

// A fork bomb gets no further than its bound, and nothing of it is left.
func TestForkBomb(t *testing.T) { // E1, E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			job := helper("bomb", "1000")
			job.Resources = dag.Resources{fork.Pids: 50}
			requireBounded(t, e, job)
			job.Resources = nil
			requireBounded(t, fork.RequirePids(e, 50), job)
		})
	}
}

func requireBounded(t *testing.T, e *fork.Executor, job dag.Job) {
	t.Helper()
	r, stdout, stderr := run(t, e, job)
	require.True(t, r.OK(), "%v: %s", r, stderr)
	require.Empty(t, r.Left)
	require.Empty(t, r.Unenforced)
	var n int
	_, err := fmt.Sscan(stdout, &n)
	require.NoError(t, err, stdout)
	require.Less(t, n, 50, stdout)
}

// Whatever attempts did in the groups that they had, those who come after them do not
// notice.
func TestNobodyNotices(t *testing.T) { // E1, E6
	t.Parallel()
	source := *seed
	if source == 0 {
		source = rand.Uint64()
	}
	t.Logf("-seed=%d", source)
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			const workers, each = 4, 12
			done := make(chan error)
			for w := range workers {
				go func() {
					random := rand.New(rand.NewPCG(source, uint64(w)))
					var err error
					for range each {
						err = errors.Join(err, anything(e, random))
					}
					done <- err
				}()
			}
			for range workers {
				require.NoError(t, <-done)
			}
		})
	}
}

// anything runs one of the things that may happen in a group, and reports what should
// not have come of it.
func anything(e *fork.Executor, random *rand.Rand) error {
	memory := strconv.Itoa(200 << 20)
	kinds := []struct {
		want string
		job  dag.Job
		stop bool
	}{
		{"success", helper("exit", "0"), false},
		{"success", helper("exit", "0"), false},
		{"failure (exit 3)", helper("exit", "3"), false},
		{"failure (SIGKILL)", helper("signal", "9"), false},
		{"success", helper("spawn", "scol", "trap"), false},
		{"success", helper("spawn", "o", "hang"), false},
		{"failure (out of memory)", helper("memory", memory), false},
		{"failure (SIGTERM)", helper("hang"), true},
	}
	kind := kinds[random.IntN(len(kinds))]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := attempt(kind.job)
	if kind.job.Command[2] == "memory" || random.IntN(2) == 0 {
		a.Job.Resources = limited
	}
	if kind.stop {
		a.Stdout = writerFunc(func(p []byte) (int, error) {
			cancel()
			return len(p), nil
		})
	}
	r, err := e.Run(ctx, a)
	// On a slow machine the grace time may be over before it has ended.
	ok := r.String() == kind.want || kind.stop && r.Signal == "SIGKILL"
	if err == nil && (!ok || len(r.Left)+len(r.Unenforced) > 0) {
		err = fmt.Errorf("%q is %+v, and not %s", kind.job.Command[2:], r, kind.want)
	}
	return err
}

// What the kernel is asked for, whatever numbers a job has.
func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	huge := int64(math.MaxInt64)
	for name, c := range map[string]struct {
		limits fork.Limits
		job    dag.Resources
		want   cgroup.Limits
	}{
		"nothing": {fork.Limits{}, dag.Resources{"x": 1}, cgroup.Limits{}},
		"memory":  {fork.Limits{}, dag.Resources{dag.MemoryMB: 64}, asked(64<<20, 4096)},
		"memory, huge": {
			fork.Limits{}, dag.Resources{dag.MemoryMB: huge}, asked(huge>>20<<20, 4096),
		},
		"all cores":   {fork.Limits{}, dag.Resources{dag.Cores: huge}, asked(0, 4096)},
		"pids":        {fork.Limits{Pids: 9}, dag.Resources{fork.Pids: 7}, asked(0, 7)},
		"pids of all": {fork.Limits{Pids: 9}, nil, asked(0, 9)},
		"no bound": {
			fork.Limits{Pids: -9}, dag.Resources{dag.MemoryMB: 1}, asked(1<<20, 0),
		},
		"what is not asked": {
			fork.Limits{}, dag.Resources{dag.MemoryMB: 0, dag.Cores: -1}, asked(0, 0),
		},
		"no bound, but asks": {fork.Limits{Pids: -1}, dag.Resources{fork.Pids: 7}, asked(0, 7)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, fork.Asked(c.limits, c.job))
		})
	}
}

func asked(memory, pids int64) cgroup.Limits { return cgroup.Limits{Memory: memory, Pids: pids} }

// What has left the process group and the session, dropped its environment and its
// outputs, and ignores SIGTERM, is gone when the attempt is over.
func TestWholeTreeIsKilled(t *testing.T) { // E1, E2
	t.Parallel()
	for name, c := range map[string]struct {
		how  string
		stop error // nil: the command exits by itself
	}{
		"normal exit":                {"scolt", nil},
		"normal exit, with outputs":  {"sclt", nil},
		"killed":                     {"scoltw", context.Canceled},
		"time limit":                 {"scoltw", executor.ErrTimeLimit},
		"time limit, within its own": {"coltw", executor.ErrTimeLimit},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, e := range waysToLimit(t) {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					g := newGate(t)
					address := g.listener.Addr().String()
					call := begin(t, e, attempt(helper("spawn", c.how, "gate", address, "", "0")))
					v := g.next()
					if c.stop != nil {
						call.cancel(c.stop)
					}
					r, err := call.wait()
					require.NoError(t, err)
					require.Empty(t, r.Left)
					require.Equal(t, c.stop == nil, r.OK())
					v.ended(t)
					requireDead(t, v.pid)
				})
			}
		})
	}
}

// What is enforced is not named, and what cannot be is.
func TestUnenforced(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			job := helper("exit", "0")
			job.Resources = dag.Resources{
				dag.MemoryMB: 100, dag.Cores: 1, fork.Pids: 100, "licences": 2, dag.GPUs: 1,
			}
			r, _, _ := run(t, e, job)
			require.Equal(t, []string{"gpus", "licences"}, r.Unenforced)
			job.Resources = dag.Resources{dag.Cores: 1 << 40, dag.MemoryMB: 1 << 50}
			r, _, _ = run(t, e, job)
			require.Empty(t, r.Unenforced, "nobody can have more than all")
		})
	}
}

func TestEnforced(t *testing.T) {
	t.Parallel()
	names, missing := unlimited(t).Enforced()
	require.Empty(t, names)
	require.ErrorContains(t, missing, "off")
	requireLimits(t)
	names, missing = setup(t).Enforced()
	require.NoError(t, missing)
	require.Equal(t, []string{"cores", "memoryMB", "pids"}, names)
}

// playing starts this binary as a program that embeds the executor.
func playing(tb testing.TB, mode string, words ...string) *exec.Cmd {
	tb.Helper()
	argv := helperproc.Command(mode, words...)
	return exec.CommandContext(tb.Context(), argv[0], argv[1:]...)
}

// A program that is killed leaves processes and control groups behind. The next one
// ends and removes them.
func TestEngineKilled(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	g := newGate(t)
	engine := playing(t, "engine-limits", "killed", g.listener.Addr().String())
	stdout, err := engine.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, engine.Start())
	v := g.next()
	var list string
	_, err = fmt.Fscanln(stdout, &list)
	require.NoError(t, err)
	dirs := strings.Split(list, ",")
	for _, dir := range dirs {
		require.DirExists(t, dir)
	}
	require.NoError(t, engine.Process.Kill())
	require.Error(t, engine.Wait())

	run(t, setup(t), helper("exit", "0"))
	v.ended(t)
	for _, dir := range dirs {
		require.Eventually(t, func() bool {
			_, err := os.Stat(dir)
			return errors.Is(err, os.ErrNotExist)
		}, patience, 10*time.Millisecond, dir)
	}
}

// What is not used any more is removed, without anybody having to close anything.
func TestNoGroupsAreLeft(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	output, err := playing(t, "engine-limits", "ends").CombinedOutput()
	require.NoError(t, err, string(output))
}

// engineLimits is told what to do: "killed" starts something that never ends and says
// where its control groups are, "ends" uses many and waits until they are gone.
func engineLimits(args []string) (int, error) {
	e := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsRequired}})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if args[0] == "killed" {
		a := attempt(helper("spawn", "scoltw", "gate", args[1], "", "0"))
		a.Job.Resources = limited
		a.OnReport = func(executor.Status) {
			_, _ = fmt.Fprintln(os.Stdout, strings.Join(fork.Groups(e), ","))
		}
		_, err := e.Run(ctx, a)
		return 0, err
	}
	done := make(chan error)
	const n = 100
	for range n {
		go func() {
			a := trueAttempt()
			a.Job.Resources = limited
			_, err := e.Run(ctx, a)
			done <- err
		}()
	}
	var err error
	dirs := fork.Groups(e)
	for range n {
		err = errors.Join(err, <-done)
		dirs = append(dirs, fork.Groups(e)...)
	}
	if len(dirs) == 0 {
		err = errors.Join(err, errors.New("there were no control groups"))
	}
	for _, dir := range dirs {
		for until := time.Now().Add(patience); time.Now().Before(until); {
			if _, gone := os.Stat(dir); gone != nil {
				break
			}
			<-time.After(time.Millisecond)
		}
		if _, gone := os.Stat(dir); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, fmt.Errorf("%s is left: %w", dir, gone))
		}
	}
	return 0, err
}

// Without permission limits are not enforced, which is said, or jobs are refused, which
// says what to do.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can become somebody who has none")
	}
	output, err := playing(t, "engine-nobody").CombinedOutput()
	require.NoError(t, err, string(output))
}

// engineNobody has no permission for anything.
func engineNobody([]string) (int, error) {
	const nobody = 65534
	if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		return 0, err
	}
	a := attempt(dag.Command("/bin/true"))
	a.Job.Resources = limited
	r, err := fork.New(fork.Config{}).Run(context.Background(), a)
	if names := fmt.Sprint(r.Unenforced); err != nil || names != "[cores memoryMB pids]" {
		return 0, fmt.Errorf("%v, not enforced: %s: %w", r, names, err)
	}
	e := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsRequired}})
	refused := e.Validate(a.Job)
	_, err = e.Run(context.Background(), a)
	for _, err := range []error{refused, err} {
		limit, ok := errors.AsType[*fork.LimitError](err)
		if !ok || !errors.Is(limit, unix.EACCES) || !strings.Contains(err.Error(), "Delegate=yes") {
			return 0, fmt.Errorf("not that it is refused: %w", err)
		}
	}
	names, missing := e.Enforced()
	if len(names) != 0 || !errors.Is(missing, unix.EACCES) {
		return 0, fmt.Errorf("%v are enforced: %w", names, missing)
	}
	if !executor.IsPermanent(err) {
		return 0, fmt.Errorf("not permanent: %w", err)
	}
	return 0, nil
}

// The file that says where a supervisor's control groups are is checked, and names
// nothing else.
func TestNotedGroups(t *testing.T) {
	t.Parallel()
	requireLimits(t)
	dir := place(t)
	e := detaching(dir)
	run(t, e, helper("exit", "0"))
	require.NoError(t, fork.AwaitSupervisor(dir))
	path := filepath.Join(dir, "fork", "groups")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Empty(t, fork.GroupsOf(dir), "they were removed")
	for i := range data {
		bad := []byte(string(data))
		bad[i] ^= 1
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		require.Empty(t, fork.GroupsOf(dir))
	}
	run(t, e, helper("exit", "0")) // all the same
}
