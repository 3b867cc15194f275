package cgroup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

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
		where := helperproc.Exec(t.Context(), "where")
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
