//go:build linux

package slurm_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

// A directory in which others can write is refused: they could have jobs run what they
// like.
func TestOpenDirectories(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(own string) error
		want  string
	}{
		"writable": {
			func(own string) error { return os.Chmod(filepath.Join(own, "jobs"), 0o777) },
			"chmod 700",
		},
		"of a group": {func(own string) error { return os.Chmod(own, 0o770) }, "chmod 700"},
		"a link": {
			func(own string) error {
				jobs := filepath.Join(own, "jobs")
				if err := os.Rename(jobs, own+"-jobs"); err != nil {
					return err
				}
				return os.Symlink(own+"-jobs", jobs)
			},
			"is not a directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, s := t.TempDir(), &script{}
			open := func() *slurm.Executor {
				return slurm.New(slurm.Config{Dir: dir, Commands: s.run})
			}
			require.NoError(t, open().Validate(dag.Command("true")))
			require.NoError(t, tc.spoil(filepath.Join(dir, "own")))
			require.ErrorContains(t, open().Validate(dag.Command("true")), tc.want)
		})
	}
}

// ran has a job run that is not forgotten.
func ran(t *testing.T, e *slurm.Executor, a *executor.Attempt) executor.Result {
	t.Helper()
	res, err := e.Run(t.Context(), a)
	require.NoError(t, err)
	return res
}

// What a job of another user says that its output is, is neither read nor removed.
func TestOutputThatIsNone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	e := slurm.New(c.config(dir))

	var stdout strings.Builder
	a := attempt("key-1", dag.Command("sh", "-c", `ln -sf "$1" "$2"`, "sh", secret,
		filepath.Join(dir, "own", "outputs", "key-1.stdout")))
	a.Stdout = &stdout
	res := ran(t, e, a)
	require.Empty(t, stdout.String())
	require.Contains(t, res.Message, "output that cannot be read here")

	ran(t, e, attempt("key-2", dag.Command("true")))
	jobs := filepath.Join(dir, "own", "jobs", "key-2")
	b, err := os.ReadFile(jobs)
	require.NoError(t, err)
	words := strings.Split(string(b), "\x00")
	words[4] = secret
	require.NoError(t, os.WriteFile(jobs, []byte(strings.Join(words, "\x00")), 0o600))
	require.NoError(t, e.Forget(t.Context(), "key-1", "key-2"))
	b, err = os.ReadFile(secret)
	require.NoError(t, err)
	require.Equal(t, "secret", string(b))
}

// What a job of another user says that its array is, is not removed.
func TestArrayThatIsNone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	e := slurm.New(c.config(dir))
	ran(t, e, attempt("key", dag.Command("true")))
	jobs := filepath.Join(dir, "own", "jobs", "key")
	b, err := os.ReadFile(jobs)
	require.NoError(t, err)
	words := strings.Split(string(b), "\x00")
	words[2] = "../../secret_0"
	require.NoError(t, os.WriteFile(jobs, []byte(strings.Join(words, "\x00")), 0o600))
	require.NoError(t, e.Forget(t.Context(), "key"))
	require.FileExists(t, secret)
}

// In a directory that others have too, output is nobody else's to read, and does not
// go where somebody has put a link to.
func TestTmpDirOfOthers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	tmp, victim := t.TempDir(), filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	e := slurm.New(c.config(t.TempDir()))
	job := dag.Command("sh", "-c", "umask; echo oh >&2")
	job.Options = map[string]any{"tmpDir": tmp}

	var stdout, stderr strings.Builder
	a := attempt("key-1", job)
	a.Stdout, a.Stderr = &stdout, &stderr
	ran(t, e, a)
	require.NotContains(t, stdout.String(), "77", "that is for the files")
	require.Equal(t, "oh\n", stderr.String())
	for _, name := range []string{"key-1.stdout", "key-1.stderr"} {
		info, err := os.Stat(filepath.Join(tmp, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}

	require.NoError(t, os.Symlink(victim, filepath.Join(tmp, "key-2.stdout")))
	a = attempt("key-2", job)
	a.Stdout, a.Stderr = &stdout, &stderr
	_, err := e.Run(t.Context(), a)
	require.ErrorContains(t, err, "cannot make its output file")
	b, err := os.ReadFile(victim)
	require.NoError(t, err)
	require.Equal(t, "precious", string(b))
}
