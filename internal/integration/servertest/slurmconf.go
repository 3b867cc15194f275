package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Ports from which connections do not get theirs: else one of the daemons that
// are running may have the port of one that has yet to start.
const firstPort, endPort = 10_000, 32_768

// freePorts returns ports that nobody listens on.
func freePorts(tb testing.TB, n int) []int {
	tb.Helper()
	ports := make([]int, 0, n)
	for len(ports) < n {
		port := firstPort + rand.IntN(endPort-firstPort)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		require.NoError(tb, err)
		// All are held until all are known, so that they differ.
		defer func() { require.NoError(tb, l.Close()) }()
		ports = append(ports, port)
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
		// Where processes start slowly, what is slow is not to count as failed: a node
		// that does not answer within MessageTimeout has its job requeued.
		"SlurmctldTimeout": "60", "SlurmdTimeout": "300", "MessageTimeout": "60",
		"BatchStartTimeout": "300",
		"SlurmdParameters":  "config_overrides", "ProctrackType": "proctrack/linuxproc",
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
