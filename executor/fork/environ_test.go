//go:build linux || darwin

package fork_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/fork"
)

// S3: what the job says plus a short list, unless asked otherwise.
func TestEnvironment(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "secret")
	t.Setenv("LC_NUMERIC", "C")
	t.Setenv("HOME", "/home/of/engine")
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		env           []string
		with, without []string
	}{
		"by default": {
			nil,
			[]string{"PATH=" + os.Getenv("PATH"), "LC_NUMERIC=C"},
			[]string{"SECRET_TOKEN"},
		},
		"nothing": {[]string{}, nil, []string{"PATH", "LC_NUMERIC", "SECRET_TOKEN"}},
		"a choice": {
			[]string{"SECRET_*"},
			[]string{"SECRET_TOKEN=secret"},
			[]string{"PATH", "LC_NUMERIC"},
		},
		"all": {
			[]string{"*"},
			[]string{"PATH=" + os.Getenv("PATH"), "SECRET_TOKEN=secret", "PWD=" + dir},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			job := helper("env")
			job.WorkDir = dir
			job.Environment = []string{"A=1", "HOME=/home/of/job", "A=2", "EMPTY=", "E=a=b"}
			_, stdout, _ := run(t, fork.New(fork.Config{Env: c.env}), job)
			entries := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
			require.Subset(t, entries, []string{
				"A=2", "HOME=/home/of/job", "EMPTY=", "E=a=b",
				"DAGGY_RUN=run", "DAGGY_TASK=task_1", "DAGGY_ATTEMPT=2",
			})
			require.Contains(t, stdout, "\nDAGGY_KEY=key-")
			require.Subset(t, entries, c.with)
			seen := map[string]bool{}
			for _, entry := range entries {
				key, _, _ := strings.Cut(entry, "=")
				require.False(t, seen[key], "%s is there twice", key)
				seen[key] = true
			}
			for _, key := range c.without {
				require.False(t, seen[key], key)
			}
		})
	}
}
