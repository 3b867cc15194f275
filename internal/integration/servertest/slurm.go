package servertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
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

// freePorts returns ports that nobody listens on.
func freePorts(tb testing.TB, n int) []int {
	tb.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(tb, err)
		// All are held until all are known, so that they differ.
		defer func() { require.NoError(tb, l.Close()) }()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// configure writes slurm.conf.
func (s *Slurm) configure(tb testing.TB, c SlurmConfig) {
	tb.Helper()
	host, err := os.Hostname()
	require.NoError(tb, err)
	host, _, _ = strings.Cut(host, ".")
	ports := freePorts(tb, c.Nodes+2)
	settings := map[string]string{
		"ClusterName": "test", "SlurmctldHost": host + "(127.0.0.1)",
		"SlurmctldPort": strconv.Itoa(ports[0]), "SlurmUser": "root", "SlurmdUser": "root",
		"AuthType": "auth/munge", "AuthInfo": "socket=" + s.path("munge", "sock"),
		"CredType": "cred/munge", "StateSaveLocation": s.path("state"),
		"SlurmdSpoolDir": s.path("spool", "%n"), "SlurmctldPidFile": s.path("slurmctld.pid"),
		"SlurmdPidFile": s.path("slurmd-%n.pid"), "SlurmctldDebug": "info", "SlurmdDebug": "info",
		// Nothing listens on all addresses.
		"CommunicationParameters": "NoInAddrAny,NoCtldInAddrAny", "MpiDefault": "none",
		"SwitchType": "switch/none", "ReturnToService": "2", "SchedulerType": "sched/backfill",
		"SchedulerParameters": "batch_sched_delay=0,bf_interval=2,sched_min_interval=0",
		"SelectType":          "select/cons_tres", "SelectTypeParameters": "CR_Core_Memory",
		"DefMemPerCPU": "50", "PriorityType": "priority/basic", "MinJobAge": "300",
		"MaxJobCount": "20000", "MaxArraySize": "4001", "InactiveLimit": "0", "KillWait": "2",
		"SlurmctldTimeout": "10", "SlurmdTimeout": "10", "MessageTimeout": "10",
		"SlurmdParameters": "config_overrides", "ProctrackType": "proctrack/linuxproc",
		"TaskPlugin": "task/none", "JobAcctGatherType": "jobacct_gather/linux",
		"JobAcctGatherFrequency": "task=1", "JobAcctGatherParams": "OverMemoryKill",
		"AccountingStorageType": "accounting_storage/none", "JobCompType": "jobcomp/none",
	}
	if c.Cgroups {
		settings["ProctrackType"], settings["TaskPlugin"] = "proctrack/cgroup", "task/cgroup"
		delete(settings, "JobAcctGatherParams")
		require.NoError(tb, os.WriteFile(s.path("cgroup.conf"), []byte(`CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
AllowedSwapSpace=0
MinRAMSpace=10
`), 0o600))
		tb.Cleanup(func() { s.removeGroups(tb) })
	}
	if c.Accounting {
		port := strconv.Itoa(ports[c.Nodes+1])
		settings["AccountingStorageType"] = "accounting_storage/slurmdbd"
		settings["AccountingStorageHost"] = "127.0.0.1"
		settings["AccountingStoragePort"] = port
		// munge's socket: AuthInfo is not used for this.
		settings["AccountingStoragePass"] = s.path("munge", "sock")
		s.configureAccounting(tb, port)
	}
	for name, value := range c.Settings {
		settings[name] = value
	}
	var b bytes.Buffer
	for name, value := range settings {
		fmt.Fprintf(&b, "%s=%s\n", name, value)
	}
	for i := range c.Nodes {
		fmt.Fprintf(&b, "NodeName=%s NodeHostname=%s NodeAddr=127.0.0.1 Port=%d", s.node(i), host,
			ports[i+1])
		fmt.Fprintf(&b, " CPUs=%d RealMemory=%d\n", c.CPUs, c.MemoryMB)
	}
	b.WriteString("PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n")
	require.NoError(tb, os.WriteFile(s.path("slurm.conf"), b.Bytes(), 0o600))
}

func (s *Slurm) node(i int) string { return s.prefix + strconv.Itoa(i+1) }

// removeGroups removes the empty groups that slurmd leaves.
func (s *Slurm) removeGroups(tb testing.TB) {
	tb.Helper()
	for i := range s.nodes {
		roots, err := filepath.Glob("/sys/fs/cgroup/*/slurm_" + s.node(i))
		require.NoError(tb, err)
		for _, root := range roots {
			var dirs []string
			_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					dirs = append(dirs, path)
				}
				return nil
			})
			for _, dir := range slices.Backward(dirs) {
				_ = os.Remove(dir) // what is in use stays
			}
		}
	}
}

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
	s.controller.signal(tb, syscall.SIGSTOP)
}

// ContinueController ends that.
func (s *Slurm) ContinueController(tb testing.TB) {
	tb.Helper()
	s.controller.signal(tb, syscall.SIGCONT)
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
