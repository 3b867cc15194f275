package servertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// SlurmConfig describes a Slurm cluster.
type SlurmConfig struct {
	// Nodes is how many there are. 0: 2.
	Nodes int
	// CPUs and MemoryMB are what each node claims to have. 0: 16, and 16000.
	CPUs, MemoryMB int
	// Settings are further lines of slurm.conf, which win.
	Settings map[string]string
	// Cgroups has jobs held to the memory that they ask for, by control groups of
	// version 1. Only one cluster of a machine can have that at a time.
	Cgroups bool
	// Accounting has slurmdbd keep what became of jobs, in a MariaDB of its own.
	Accounting bool
}

// Slurm is a private Slurm cluster on this machine: munged, slurmctld and several
// slurmd, as root.
type Slurm struct {
	dir    string
	nodes  int
	prefix string // of the names of nodes
	// environ is more of the environment of daemons.
	environ []string
	munged  *process
	// Controller is slurmctld. It is embedded in nothing, since nodes can be paused
	// too.
	controller *process
	daemons    []*process
	accounting []*process // MariaDB and slurmdbd
	bin        map[string]string
}

// StartSlurm starts a cluster that is stopped and removed with the test.
func StartSlurm(tb testing.TB, c SlurmConfig) *Slurm {
	tb.Helper()
	if c.Nodes == 0 {
		c.Nodes = 2
	}
	if c.CPUs == 0 {
		c.CPUs = 16
	}
	if c.MemoryMB == 0 {
		c.MemoryMB = 16000
	}
	if os.Getuid() != 0 {
		require.FailNow(tb, "a cluster takes root", "slurmd starts the jobs of any user")
	}
	s := &Slurm{
		dir: directory(tb, nil), nodes: c.Nodes, daemons: make([]*process, c.Nodes), prefix: "n",
	}
	if c.Cgroups {
		s.prefix = "cgroup" // slurmd names groups after its node
	}
	s.bin = map[string]string{
		"munged":    program(tb, "munge", "/usr/sbin/munged"),
		"slurmctld": program(tb, "slurmctld", "/usr/sbin/slurmctld"),
		"slurmd":    program(tb, "slurmd", "/usr/sbin/slurmd"),
		"sbatch":    program(tb, "slurm-client", "/usr/bin/sbatch"),
	}
	require.NoError(tb, os.Chmod(s.dir, 0o755))
	for _, dir := range []string{"log", "state", "spool", "munge"} {
		require.NoError(tb, os.Mkdir(filepath.Join(s.dir, dir), 0o755))
	}
	key := make([]byte, 128)
	_, err := rand.Read(key)
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(filepath.Join(s.dir, "munge", "key"), key, 0o600))
	s.configure(tb, c)
	tb.Cleanup(func() { s.stop(tb) })
	s.munged = s.start(tb, "munged", "--foreground", "--force", "--socket="+s.path("munge", "sock"),
		"--key-file="+s.path("munge", "key"), "--seed-file="+s.path("munge", "seed"),
		"--log-file="+s.path("log", "munged"), "--pid-file="+s.path("munge", "pid"))
	s.munged.await(tb, s.path("log", "munged"), func(context.Context) error {
		_, err := os.Stat(s.path("munge", "sock"))
		return err
	})
	if c.Accounting {
		s.startAccounting(tb)
	}
	s.StartController(tb)
	for i := range c.Nodes {
		s.StartNode(tb, i)
	}
	return s
}

func (s *Slurm) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// Dir is the directory of the cluster, where its files and logs are.
func (s *Slurm) Dir() string { return s.dir }

// Environ has what Slurm's commands need in their environment.
func (s *Slurm) Environ() []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root", "USER=root", "LOGNAME=root",
		"SLURM_CONF=" + s.path("slurm.conf"),
	}
}

// Run runs one of Slurm's commands with this standard input.
func (s *Slurm) Run(
	ctx context.Context, stdin, name string, args ...string,
) (stdout, stderr []byte, exit int, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(filepath.Dir(s.bin["sbatch"]), name), args...)
	cmd.Env = s.Environ()
	cmd.Dir = s.dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	if _, ran := errors.AsType[*exec.ExitError](err); ran && ctx.Err() == nil {
		err = nil
	}
	return out.Bytes(), errs.Bytes(), cmd.ProcessState.ExitCode(), err
}

// Output runs one of Slurm's commands and returns what it prints.
func (s *Slurm) Output(ctx context.Context, name string, args ...string) (string, error) {
	stdout, stderr, exit, err := s.Run(ctx, "", name, args...)
	if err == nil && exit != 0 {
		err = fmt.Errorf("%s: exit %d: %s", name, exit, bytes.TrimSpace(stderr))
	}
	return string(stdout), err
}

// stop ends all jobs, then the cluster.
func (s *Slurm) stop(tb testing.TB) {
	tb.Helper()
	for i := range s.nodes {
		for _, p := range s.processes(tb, i) {
			kill(tb, p.pid)
		}
	}
	for _, d := range s.daemons {
		d.stop(tb, syscall.SIGTERM)
	}
	s.controller.stop(tb, syscall.SIGKILL) // what it would save is removed
	for _, p := range slices.Backward(s.accounting) {
		p.stop(tb, syscall.SIGKILL)
	}
	s.munged.stop(tb, syscall.SIGTERM)
}
