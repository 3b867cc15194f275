package servertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func (s *Slurm) start(tb testing.TB, name string, args ...string) *process {
	tb.Helper()
	cmd := exec.Command(s.bin[name], args...)
	prepare(cmd, s.dir, nil)
	cmd.Env = append(append(s.Environ(), "PATH=/usr/sbin:/usr/bin:/sbin:/bin"), s.environ...)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL // slurmctld ignores SIGQUIT
	return start(tb, cmd, s.path("log", name))
}

// StartController starts slurmctld over the state that it has saved, and waits until
// it answers.
func (s *Slurm) StartController(tb testing.TB) {
	tb.Helper()
	s.controller = s.start(tb, "slurmctld", "-D")
	s.controller.await(tb, s.path("log", "slurmctld"), func(ctx context.Context) error {
		_, err := s.Output(ctx, "scontrol", "ping")
		return err
	})
}

// StartNode starts the slurmd of a node, counted from 0, and waits until the
// controller knows that it is there.
func (s *Slurm) StartNode(tb testing.TB, i int) {
	tb.Helper()
	require.NoError(tb, os.MkdirAll(s.path("spool", s.node(i)), 0o755))
	s.daemons[i] = s.start(tb, "slurmd", "-D", "-N", s.node(i))
	s.daemons[i].await(tb, s.path("log", "slurmd"), func(ctx context.Context) error {
		out, err := s.Output(ctx, "sinfo", "--noheader", "--nodes="+s.node(i), "--format=%T")
		if state := strings.TrimSpace(out); err == nil && state != "idle" && state != "mixed" &&
			state != "allocated" {
			err = fmt.Errorf("%s is %s", s.node(i), state)
		}
		return err
	})
}

// PauseController stops slurmctld where it is: connections stay open and nothing
// is answered.
func (s *Slurm) PauseController(tb testing.TB) {
	tb.Helper()
	s.controller.Pause(tb)
}

// ContinueController ends that.
func (s *Slurm) ContinueController(tb testing.TB) {
	tb.Helper()
	s.controller.Continue(tb)
}

// KillController ends slurmctld at once, as a crash does.
func (s *Slurm) KillController(tb testing.TB) {
	tb.Helper()
	s.controller.stop(tb, syscall.SIGKILL)
}

// StopController has slurmctld save its state and end.
func (s *Slurm) StopController(tb testing.TB) {
	tb.Helper()
	s.controller.stop(tb, syscall.SIGTERM)
}

// KillNode ends the slurmd of a node at once, and everything that its jobs have
// started, as a power cut does.
func (s *Slurm) KillNode(tb testing.TB, i int) {
	tb.Helper()
	s.daemons[i].stop(tb, syscall.SIGKILL)
	for _, p := range s.processes(tb, i) {
		kill(tb, p.pid)
	}
}

// KillDaemon ends the slurmd of a node at once. Its jobs go on.
func (s *Slurm) KillDaemon(tb testing.TB, i int) {
	tb.Helper()
	s.daemons[i].stop(tb, syscall.SIGKILL)
}

// KillJobs kills the scripts of all jobs and what they have started. The nodes
// notice.
func (s *Slurm) KillJobs(tb testing.TB) {
	tb.Helper()
	for i := range s.nodes {
		for _, p := range s.processes(tb, i) {
			if !p.keeper {
				kill(tb, p.pid)
			}
		}
	}
}

func kill(tb testing.TB, pid int) {
	tb.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		require.NoError(tb, err)
	}
}

// A jobProcess is a process of a job, or the slurmstepd that keeps it.
type jobProcess struct {
	pid    int
	keeper bool
}

// processes are those of the jobs of a node, which are known by what they have in
// their environment, also if they have got away from Slurm.
func (s *Slurm) processes(tb testing.TB, i int) []jobProcess {
	tb.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(tb, err)
	var found []jobProcess
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		// Errors are those of processes that have ended.
		environ, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "environ"))
		cmdline, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		has := func(e string) bool {
			return bytes.Contains(slices.Concat([]byte{0}, environ), []byte("\x00"+e+"\x00"))
		}
		if !has("SLURM_CONF=" + s.path("slurm.conf")) {
			continue
		}
		keeper := bytes.HasPrefix(cmdline, []byte("slurmstepd"))
		if keeper || has("SLURMD_NODENAME="+s.node(i)) {
			found = append(found, jobProcess{pid, keeper})
		}
	}
	return found
}
