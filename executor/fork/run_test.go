//go:build linux || darwin

package fork_test

import (
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// E1: a command that exits non-zero is a result.
func TestRunGivesEveryExitCode(t *testing.T) {
	t.Parallel()
	e := setup(t)
	var group errgroup.Group
	group.SetLimit(4)
	results := make([]executor.Result, 256)
	for code := range results {
		group.Go(func() (err error) {
			results[code], err = e.Run(t.Context(), attempt(helper("exit", strconv.Itoa(code))))
			return err
		})
	}
	require.NoError(t, group.Wait())
	for code, r := range results {
		require.Equal(t, code, r.ExitCode)
		require.Empty(t, r.Signal)
		require.Equal(t, code == 0, r.OK())
	}
}

// E1: so is one that a signal ended.
func TestRunNamesTheSignal(t *testing.T) {
	t.Parallel()
	for signal, name := range map[unix.Signal]string{
		unix.SIGHUP:  "SIGHUP",
		unix.SIGINT:  "SIGINT",
		unix.SIGKILL: "SIGKILL",
		unix.SIGTERM: "SIGTERM",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A command inherits what is ignored, as nohup has it, but not handlers.
			handled := make(chan os.Signal, 1)
			ossignal.Notify(handled, signal)
			defer ossignal.Stop(handled)
			r, _, _ := run(t, setup(t), helper("signal", strconv.Itoa(int(signal))))
			require.Equal(t, name, r.Signal)
			require.Equal(t, -1, r.ExitCode)
			require.Equal(t, "failure ("+name+")", r.String())
		})
	}
}

func TestRunReportsTheProcess(t *testing.T) {
	t.Parallel()
	l := launch(t, setup(t), helper("hang"))
	require.Equal(t, "ready", l.line())
	pid, err := strconv.Atoi(<-l.pid)
	require.NoError(t, err)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	r, err := l.wait()
	require.NoError(t, err)
	require.Equal(t, "SIGKILL", r.Signal)
	require.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH)
}

func TestRunMeasures(t *testing.T) {
	t.Parallel()
	e := setup(t)

	before := time.Now()
	r, _, _ := run(t, e, helper("cpu", "50"))
	require.GreaterOrEqual(t, r.UserCPU, 50*time.Millisecond)
	require.False(t, r.Start.Before(before))
	require.GreaterOrEqual(t, r.End.Sub(r.Start), 50*time.Millisecond/2, "two processors at most")
	require.False(t, r.End.After(time.Now()))

	// More than this process has, see the package comment.
	const size = 256 << 20
	r, _, _ = run(t, e, helper("memory", strconv.Itoa(size)))
	require.Greater(t, r.MaxRSS, int64(size))
	require.Less(t, r.MaxRSS, int64(16*size), "bytes")
}

// E6: what is leased and not enforced is said.
func TestRunSaysWhatIsNotEnforced(t *testing.T) {
	t.Parallel()
	job := helper("exit", "0")
	r, _, _ := run(t, unlimited(t), job)
	require.Empty(t, r.Unenforced)

	job.Resources = dag.Resources{dag.MemoryMB: 100, dag.Cores: 1, "licences": 2, dag.GPUs: 0}
	r, _, _ = run(t, unlimited(t), job)
	require.Equal(t, []string{"cores", "licences", "memoryMB"}, r.Unenforced)
}

func TestRunSaysWhere(t *testing.T) {
	t.Parallel()
	e := setup(t)
	r, _, _ := run(t, e, helper("exit", "0"))
	require.Equal(t, e.Allocator().Nodes()[0].Name, r.Node)

	a := attempt(helper("exit", "0"))
	a.Node = "leased"
	r, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, "leased", r.Node)
}

func TestRunSplitsCommandString(t *testing.T) {
	t.Parallel()
	words := helper("args").Command
	job := dag.Job{CommandString: words[0] + " " + words[1] + " " + words[2] + ` 'a b' "c;$d" e\ f`}
	_, stdout, _ := run(t, setup(t), job)
	require.Equal(t, "\"a b\"\n\"c;$d\"\n\"e f\"\n", stdout)
}

// S4: nothing is pasted into shell text.
func TestRunPassesWordsAsTheyAre(t *testing.T) {
	t.Parallel()
	_, stdout, _ := run(t, setup(t), helper("args", "$HOME", "*", "a;b", "", "\xff"))
	require.Equal(t, "\"$HOME\"\n\"*\"\n\"a;b\"\n\"\"\n\"\\xff\"\n", stdout)
}

func TestRunWorksInWorkDir(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	job := helper("cwd")
	job.WorkDir = dir
	_, stdout, _ := run(t, setup(t), job)
	require.Equal(t, dir+"\n", stdout)

	// A command with a slash is relative to it.
	require.NoError(t, os.Symlink(job.Command[0], filepath.Join(dir, "tool")))
	job.Command[0] = "./tool"
	_, stdout, _ = run(t, setup(t), job)
	require.Equal(t, dir+"\n", stdout)
}

func TestRunGivesNoInput(t *testing.T) {
	t.Parallel()
	r, stdout, _ := run(t, setup(t), helper("cat"))
	require.True(t, r.OK())
	require.Empty(t, stdout)
}

func TestRunMakesAProcessGroup(t *testing.T) {
	t.Parallel()
	session, err := unix.Getsid(0)
	require.NoError(t, err)
	_, stdout, _ := run(t, setup(t), helper("group"))
	pid, _, _ := cut3(stdout)
	require.Equal(t, pid+" "+pid+" "+strconv.Itoa(session)+"\n", stdout)
}

// No descriptor of this process, of another command, or of a pipe to one is
// passed on by accident: as many as os/exec passes on when there is nothing else
// (this process may have inherited some itself).
func TestRunPassesThreeDescriptors(t *testing.T) {
	t.Parallel()
	e := setup(t)
	argv := helper("fds").Command
	want, err := exec.Command(argv[0], argv[1:]...).Output()
	require.NoError(t, err)
	var group sync.WaitGroup
	outputs := make([]string, 16)
	for i := range outputs {
		group.Go(func() { _, outputs[i], _ = run(t, e, helper("fds")) })
	}
	group.Wait()
	for _, output := range outputs {
		require.Equal(t, string(want), output)
	}
}
