//go:build linux || darwin

package fork_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// file makes one and returns its directory and its path.
func file(t *testing.T, name, text string, mode os.FileMode) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	return dir, path
}

// A command that cannot be executed fails the attempt, which may be retried, with
// an error that says where it was looked for.
func TestRunCannotExecute(t *testing.T) {
	t.Parallel()
	dir, plain := file(t, "plain", "no program", 0o600)
	_, text := file(t, "text", "no program", 0o700)
	_, orphan := file(t, "orphan", "#!/no/such/interpreter\n", 0o700)
	for name, c := range map[string]struct {
		job  dag.Job
		want fork.CommandError
		text string
	}{
		"not in PATH": {
			dag.Job{Command: []string{"no-such"}, Environment: []string{"PATH=/a:/b"}},
			fork.CommandError{Command: "no-such", Path: "/a:/b", Err: exec.ErrNotFound},
			"PATH=/a:/b",
		},
		"PATH is that of the job": {
			dag.Job{Command: []string{"ls"}, Environment: []string{"PATH="}},
			fork.CommandError{Command: "ls", Err: exec.ErrNotFound},
			"PATH=)",
		},
		"relative directories in PATH are passed over": {
			dag.Job{
				Command: []string{"plain"}, WorkDir: dir,
				Environment: []string{"PATH=.::sub"},
			},
			fork.CommandError{Command: "plain", Path: ".::sub", Err: exec.ErrNotFound},
			"PATH=.::sub",
		},
		"found and not executable": {
			dag.Job{Command: []string{"plain"}, Environment: []string{"PATH=" + dir}},
			fork.CommandError{Command: "plain", Path: dir, Err: fs.ErrPermission},
			plain,
		},
		"a directory": {
			dag.Job{
				Command:     []string{filepath.Base(dir)},
				Environment: []string{"PATH=" + filepath.Dir(dir)},
			},
			fork.CommandError{
				Command: filepath.Base(dir), Path: filepath.Dir(dir), Err: exec.ErrNotFound,
			},
			"PATH=",
		},
		"no such file": {
			dag.Job{Command: []string{"./no-such"}, WorkDir: dir},
			fork.CommandError{Command: "./no-such", WorkDir: dir, Err: fs.ErrNotExist},
			"(in " + dir + ")",
		},
		"file not executable": {
			dag.Command(plain),
			fork.CommandError{Command: plain, Err: fs.ErrPermission},
			plain,
		},
		"neither program nor script": {
			dag.Command(text),
			fork.CommandError{Command: text, Err: unix.ENOEXEC},
			"#!",
		},
		"script without its interpreter": {
			dag.Command(orphan),
			fork.CommandError{Command: orphan, Err: fs.ErrNotExist},
			"interpreter",
		},
		"no such working directory": {
			dag.Job{Command: helper("exit", "0").Command, WorkDir: filepath.Join(dir, "no")},
			fork.CommandError{
				Command: helper("exit").Command[0], WorkDir: filepath.Join(dir, "no"),
				Err: fs.ErrNotExist,
			},
			"working directory",
		},
		"working directory is a file": {
			dag.Job{Command: []string{"sh"}, Environment: []string{"PATH=/bin"}, WorkDir: plain},
			fork.CommandError{
				Command: "sh", Path: "/bin", WorkDir: plain, Err: unix.ENOTDIR,
			},
			plain + ": not a directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := attempt(c.job)
			a.OnReport = func(executor.Status) { t.Error("it was started") }
			r, err := fork.New(fork.Config{Env: []string{}}).Run(t.Context(), a)
			require.Zero(t, r)
			got, ok := errors.AsType[*fork.CommandError](err)
			require.True(t, ok, err)
			require.ErrorIs(t, err, c.want.Err)
			require.Contains(t, err.Error(), c.text)
			require.Equal(t, c.want.Command, got.Command)
			require.Equal(t, c.want.WorkDir, got.WorkDir)
			if !strings.Contains(got.Command, "/") {
				require.Equal(t, c.want.Path, got.Path)
			}
			require.False(t, executor.IsPermanent(err))
			_, notStarted := errors.AsType[*executor.NotStartedError](err)
			require.False(t, notStarted)
		})
	}
}

// What is wrong with the job itself is not tried again.
func TestRunRefusesForGood(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4<<20)
	for name, job := range map[string]dag.Job{
		"no command":          {},
		"empty command":       dag.Command(""),
		"command of a quote":  {CommandString: "echo 'a"},
		"blank commandString": {CommandString: "  "},
		"zero byte in a word": helper("args", "a\x00b"),
		"zero byte in the environment": {
			Command: helper("env").Command, Environment: []string{"A=\x00"},
		},
		"entry without a value": {
			Command: helper("env").Command, Environment: []string{"A"},
		},
		"entry without a key": {
			Command: helper("env").Command, Environment: []string{"=A"},
		},
		"too long": helper("args", long),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := setup(t).Run(t.Context(), attempt(job))
			require.Error(t, err)
			require.True(t, executor.IsPermanent(err), err)
		})
	}
	t.Run("pool options", func(t *testing.T) {
		t.Parallel()
		a := attempt(helper("exit", "0"))
		a.PoolOptions = map[string]any{"partition": "long"}
		_, err := setup(t).Run(t.Context(), a)
		require.True(t, executor.IsPermanent(err), err)
		require.ErrorContains(t, err, `"partition"`)
		require.ErrorContains(t, setup(t).ValidatePool(a.PoolOptions), `"partition"`)
	})
}

// E4: want of what comes back.
func TestExplainTellsScarcity(t *testing.T) {
	t.Parallel()
	for errno, scarce := range map[unix.Errno]bool{
		unix.EMFILE: true, unix.ENFILE: true, unix.EAGAIN: true, unix.ENOMEM: true,
		unix.ETXTBSY: true, unix.ENOENT: false, unix.EACCES: false, unix.E2BIG: false,
	} {
		err := fork.Explain(errno)
		_, ok := errors.AsType[*executor.NotStartedError](err)
		require.Equal(t, scarce, ok, errno)
		require.ErrorIs(t, err, errno)
	}
}

// busy is a job whose program is being written, so that it cannot be started until the
// writer is closed.
func busy(t *testing.T, exit int) (job dag.Job, writer *os.File) {
	t.Helper()
	job = helper("exit", strconv.Itoa(exit))
	program, err := os.ReadFile(job.Command[0])
	require.NoError(t, err)
	_, job.Command[0] = file(t, "program", string(program), 0o700)
	writer, err = os.OpenFile(job.Command[0], os.O_WRONLY, 0)
	require.NoError(t, err)
	return job, writer
}

// E4: a program that is being written (golang/go#22315).
func TestRunOfABusyFile(t *testing.T) {
	t.Parallel()
	job, writer := busy(t, 3)
	e, a := setup(t), attempt(job)

	_, err := e.Run(t.Context(), a)
	_, notStarted := errors.AsType[*executor.NotStartedError](err)
	require.True(t, notStarted, err)
	require.ErrorIs(t, err, unix.ETXTBSY)

	require.NoError(t, writer.Close())
	r, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	require.Equal(t, 3, r.ExitCode)
}
