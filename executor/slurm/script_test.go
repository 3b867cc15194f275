//go:build linux

package slurm_test

import (
	"context"
	"errors"
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

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// A job that Slurm starts again does nothing, and says so, even if the queue is
// never seen in between.
func TestStartedAgain(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	e := slurm.New(c.config(t.TempDir()))
	file := filepath.Join(t.TempDir(), "notes")
	a := attempt("key", dag.Command("sh", "-c", `echo >>"$1"; exec sleep 600`, "sh", file))
	done := make(chan error, 1)
	go func() {
		_, err := e.Run(t.Context(), a)
		done <- err
	}()
	require.Eventually(t, func() bool { return noted(t, file) == 1 }, time.Minute, time.Millisecond)
	c.mu.Lock()
	j := c.jobs[0]
	c.end(j, syscall.SIGKILL, "RUNNING")
	j.restart = 1
	require.NoError(t, c.start(j))
	c.mu.Unlock()
	err := <-done
	require.True(t, lost(err), "%v", err)
	require.Equal(t, 1, noted(t, file))
}

// A controller that was killed can have forgotten that it has started a job, and then
// starts it again as if it had never been: under the same ID, the first time.
func TestStartedAsIfNever(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	e := slurm.New(c.config(t.TempDir()))
	file := filepath.Join(t.TempDir(), "notes")
	a := attempt("never", dag.Command("sh", "-c", `
		echo >>"$1"
		while ! [ -e "$1.go" ]; do sleep 0.02; done`, "sh", file))
	done := make(chan error, 1)
	go func() {
		_, err := e.Run(t.Context(), a)
		done <- err
	}()
	require.Eventually(t, func() bool { return noted(t, file) == 1 }, time.Minute, time.Millisecond)
	c.mu.Lock()
	require.NoError(t, c.start(c.jobs[0]))
	second := c.jobs[0].cmd
	c.mu.Unlock()
	require.Eventually(t, func() bool {
		return errors.Is(second.Process.Signal(syscall.Signal(0)), os.ErrProcessDone) ||
			noted(t, file) == 2
	}, time.Minute, time.Millisecond)
	require.NoError(t, os.WriteFile(file+".go", nil, 0o600))
	require.NoError(t, <-done)
	require.Equal(t, 1, noted(t, file))
}

// The script may be killed anywhere: either it has reported, or it is lost, and the
// command has run once at most.
func TestScriptIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	e := slurm.New(c.config(t.TempDir()))
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const n = 40
	type outcome struct {
		file string
		res  executor.Result
		err  error
	}
	outcomes := make(chan outcome, n)
	for i := range n {
		key := "key-" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		file := filepath.Join(dir, key)
		a := attempt(key, dag.Command("sh", "-c", `echo >>"$1"`, "sh", file))
		a.Task = key
		go func() {
			o := outcome{file: file}
			o.res, o.err = e.Run(t.Context(), a)
			outcomes <- o
		}()
		require.Eventually(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.jobs) == i+1
		}, time.Minute, 100*time.Microsecond)
		timer := time.NewTimer(time.Duration(random.IntN(12_000)) * time.Microsecond)
		<-timer.C
		c.mu.Lock()
		c.end(c.jobs[i], syscall.SIGKILL, "FAILED")
		c.mu.Unlock()
	}
	good := 0
	for range n {
		o := <-outcomes
		require.LessOrEqual(t, noted(t, o.file), 1)
		if o.err != nil {
			require.True(t, lost(o.err), "%v", o.err)
			continue
		}
		if o.res.OK() {
			good++
			require.Equal(t, 1, noted(t, o.file))
		}
	}
	t.Logf("%d of %d had reported", good, n)
}

// A command that is stopped, and perhaps its script as "scontrol suspend" does, is not
// over.
func TestStoppedForAWhile(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{
		"by somebody": syscall.SIGSTOP, "by Slurm": syscall.SIGTSTP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stoppedForAWhile(t, sig, sig == syscall.SIGTSTP)
		})
	}
}

func stoppedForAWhile(t *testing.T, sig syscall.Signal, withScript bool) {
	t.Helper()
	c := newCluster(t)
	e := slurm.New(c.config(t.TempDir()))
	file := filepath.Join(t.TempDir(), "pid")
	a := attempt("stopped-"+strconv.Itoa(int(sig)), dag.Command("sh", "-c",
		`echo $$ >"$1"; while ! [ -e "$1.go" ]; do sleep 0.02; done; exit 3`, "sh", file))
	type outcome struct {
		res executor.Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.res, o.err = e.Run(t.Context(), a)
		done <- o
	}()
	require.Eventually(t, func() bool { return noted(t, file) == 1 }, time.Minute, time.Millisecond)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	c.mu.Lock()
	script := c.jobs[0].cmd.Process
	c.mu.Unlock()
	for _, sig := range []syscall.Signal{sig, syscall.SIGCONT} {
		if withScript {
			require.NoError(t, script.Signal(sig))
		}
		require.NoError(t, syscall.Kill(-pid, sig))
		timer := time.NewTimer(300 * time.Millisecond)
		<-timer.C
	}
	require.NoError(t, os.WriteFile(file+".go", nil, 0o600))
	o := <-done
	require.NoError(t, o.err)
	require.Equal(t, 3, o.res.ExitCode, "%v", o.res)
}

// A command is asked to stop once (E2), however often Slurm is told to ask: of many jobs
// that are asked together all are asked again when one of them has just ended.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	e := slurm.New(c.config(t.TempDir()))
	file, fifo := filepath.Join(t.TempDir(), "notes"), filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600)) // it waits in the shell itself
	// What is left of a key is killed wherever it runs, so no other test has this one.
	a := attempt("asked-once", dag.Command("bash", "-c", `
		trap 'echo asked >>"$1"' TERM; echo ready >>"$1"
		exec 3<>"$2"; while ! [ -e "$1.go" ]; do read -t 0.02 -u 3; done`, "sh", file, fifo))
	done := make(chan error, 1)
	go func() {
		_, err := e.Run(t.Context(), a)
		done <- err
	}()
	noted := func(n int) func() bool {
		return func() bool { return noted(t, file) == n }
	}
	require.Eventually(t, noted(1), time.Minute, time.Millisecond)
	ask := func() {
		_, err := c.run(t.Context(), []string{"scancel", "--batch", "--signal=TERM", "1"}, "")
		require.NoError(t, err)
	}
	ask()
	require.Eventually(t, noted(2), time.Minute, time.Millisecond)
	ask()
	timer := time.NewTimer(300 * time.Millisecond)
	<-timer.C
	require.NoError(t, os.WriteFile(file+".go", nil, 0o600))
	require.NoError(t, <-done)
	require.True(t, noted(2)(), "it was asked again")
}

// An attempt that was submitted, and of which the directory knows nothing, is not
// started again: the directory may not be the right one.
func TestAnotherDirectory(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	right, file := t.TempDir(), filepath.Join(t.TempDir(), "notes")
	open := func(dir string) *slurm.Executor {
		return slurm.New(slurm.Config{
			Dir: dir, Commands: c.run, Interval: 20 * time.Millisecond, ArrayWait: -1,
		})
	}
	a := attempt("key", dag.Command("sh", "-c", `echo >>"$1"; while ! [ -e "$1.go" ]; do sleep 0.02
		done`, "sh", file))
	ctx, cancel := context.WithCancelCause(t.Context())
	refs := make(chan string, 100)
	a.OnReport = func(s executor.Status) {
		if s.Running {
			refs <- s.Ref
		}
	}
	done := make(chan error, 1)
	go func() {
		_, err := open(right).Run(ctx, a)
		done <- err
	}()
	again := attempt("key", a.Job)
	again.Resumed, again.Ref = true, <-refs
	cancel(executor.ErrDetach)
	require.ErrorIs(t, <-done, executor.ErrDetach)

	wrong := filepath.Join(t.TempDir(), "mount")
	said := make(chan string, 100)
	again.OnReport = func(s executor.Status) { said <- s.Reason }
	go func() {
		_, err := open(wrong).Run(t.Context(), again)
		done <- err
	}()
	require.Contains(t, <-said, "is that mounted")
	// It is now: the right files are there.
	require.NoError(t, os.RemoveAll(wrong))
	require.NoError(t, os.Symlink(right, wrong))
	require.NoError(t, os.WriteFile(file+".go", nil, 0o600))
	require.NoError(t, <-done)
	require.Equal(t, 1, noted(t, file))
}

// The right directory may be mounted at any moment, also between two looks at its files.
func TestMountedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	base := t.TempDir()
	right, empty := filepath.Join(base, "right"), filepath.Join(base, "empty")
	mount, file := filepath.Join(base, "mount"), filepath.Join(base, "notes")
	open := func() *slurm.Executor {
		return slurm.New(slurm.Config{
			Dir: mount, Commands: c.run, Interval: 5 * time.Millisecond, ArrayWait: -1,
		})
	}
	point := func(at string) {
		require.NoError(t, os.Symlink(at, mount+".new"))
		require.NoError(t, os.Rename(mount+".new", mount))
	}
	a := attempt("key", dag.Command("sh", "-c", `echo >>"$1"; while ! [ -e "$1.go" ]; do sleep 0.02
		done`, "sh", file))
	done := make(chan error, 1)
	for _, dir := range []string{empty, right} {
		require.NoError(t, os.Mkdir(dir, 0o700))
	}
	point(empty)
	_, err := open().Run(t.Context(), attempt("other", dag.Command("true")))
	require.NoError(t, err)
	// attach lets go of the job as soon as it is seen to run.
	attach := func() {
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		again := *a
		again.OnReport = func(s executor.Status) {
			if s.Running {
				a.Ref = s.Ref
				cancel(executor.ErrDetach)
			}
		}
		_, err := open().Run(ctx, &again)
		done <- err
	}
	point(right)
	go attach()
	require.ErrorIs(t, <-done, executor.ErrDetach)
	a.Resumed = true
	// The job has the same mount here, and has read what it is to do.
	require.Eventually(t, func() bool { return noted(t, file) == 1 }, time.Minute, time.Millisecond)
	for range 200 {
		point(empty)
		go attach()
		timer := time.NewTimer(time.Duration(rand.IntN(2000)) * time.Microsecond)
		<-timer.C
		point(right)
		require.ErrorIs(t, <-done, executor.ErrDetach)
	}
	require.NoError(t, os.WriteFile(file+".go", nil, 0o600))
	_, err = open().Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 1, noted(t, file))
}

// A process that is killed for want of memory may be that of another job, where Slurm
// does not make control groups for jobs.
func TestKilledForMemory(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("/proc/self/cgroup")
	require.NoError(t, err)
	_, own, _ := strings.Cut(string(b), ":memory:")
	own, _, _ = strings.Cut(own, "\n")
	own = "/sys/fs/cgroup/memory" + own
	if _, err := os.Stat(own + "/memory.oom_control"); err != nil || os.Geteuid() != 0 {
		t.Skip("this needs memory groups of version 1, and root")
	}
	const hog = `a=x; while :; do a=$a$a; done`
	// While the command runs another process of the group is killed.
	const other = `mkfifo "$2"; read x <"$2"`
	for name, tc := range map[string]struct{ group, command, want string }{
		"of the job":         {"job_1/step_batch", other, "failure (out of memory)"},
		"of all jobs":        {"jobs", other, "success"},
		"the command itself": {"jobs", `exec sh -c "$1"`, "failure (out of memory)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			key := strconv.FormatUint(rand.Uint64(), 36)
			c.group = filepath.Join(own, "daggy-slurm-"+key, tc.group)
			t.Cleanup(func() {
				for dir := c.group; dir != own; dir = filepath.Dir(dir) {
					require.Eventually(t, func() bool { return syscall.Rmdir(dir) == nil },
						time.Minute, 10*time.Millisecond)
				}
			})
			require.NoError(t, os.MkdirAll(c.group, 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(c.group, "memory.limit_in_bytes"),
				[]byte("32M"), 0o600))
			fifo := filepath.Join(t.TempDir(), "fifo")
			a := attempt(key, dag.Command("sh", "-c", tc.command, "sh", hog, fifo))
			if tc.command == other {
				go func() {
					// It is killed.
					_ = exec.CommandContext(t.Context(), "sh", "-c", `
						until [ -p "$3" ]; do sleep 0.02; done
						sh -c 'echo $$ >"$0/cgroup.procs"; eval "$1"' "$1" "$2"; echo >"$3"`,
						"sh", c.group, hog, fifo).Run()
				}()
			}
			res, err := slurm.New(c.config(t.TempDir())).Run(t.Context(), a)
			require.NoError(t, err)
			require.Equal(t, tc.want, res.String())
		})
	}
}

// Words and variables are data, whatever is in them.
func TestWordsAreData(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	e := slurm.New(c.config(t.TempDir()))
	var all strings.Builder
	for i := 1; i < 256; i++ {
		all.WriteByte(byte(i))
	}
	for name, command := range map[string][]string{
		"every byte":         {"printf", "%s", all.String()},
		"a name with =":      {"a=b"},
		"empty words":        {"printf", "<%s>", "", "", "\n"},
		"a name with a dash": {"-n"},
	} {
		var stdout strings.Builder
		a := attempt("key-"+strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return '-'
			}
			return r
		}, name), dag.Job{Command: command, Environment: []string{"ALL=" + all.String(), "A.B=x"}})
		a.Task = name
		a.Stdout = &stdout
		res, err := e.Run(t.Context(), a)
		require.NoError(t, err)
		switch name {
		case "every byte":
			require.Equal(t, all.String(), stdout.String())
		case "empty words":
			require.Equal(t, "<><><\n>", stdout.String())
		default:
			require.Equal(t, 127, res.ExitCode, name)
		}
	}
}

func TestCommandEnviron(t *testing.T) {
	t.Parallel()
	require.Equal(t,
		[]string{"PATH=/bin", "SLURM_CONF=/etc/slurm.conf", "SBATCH_ACCOUNT=us"},
		slurm.CommandEnviron([]string{
			"PATH=/bin", "SECRET=1", "SLURM_CONF=/etc/slurm.conf", "SLURM_JOB_ID=7",
			"SQUEUE_STATES=R", "SBATCH_ACCOUNT=us", "SBATCH_WAIT=1",
			"SBATCH_ARRAY_INX=0-9", "SCANCEL_NAME=x",
		}))
}
