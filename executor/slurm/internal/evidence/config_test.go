package evidence

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCluster(t *testing.T) {
	t.Parallel()
	const text = `Configuration data as of 2026-11-27T06:10:29
AccountingStorageType   = accounting_storage/slurmdbd
JobAcctGatherParams     = (null)
MaxArraySize            = 4001
SLURM_VERSION           = 22.05.8
TaskPlugin              = task/cgroup,task/affinity

Cgroup Support Configuration:
ConstrainCores          = yes
ConstrainRAMSpace       = yes
`
	require.Equal(t, Cluster{
		MaxArray: 4001, Accounting: true, HoldsCores: true, HoldsMemory: true,
	}, ParseCluster([]byte(text)))
	require.Equal(t, Cluster{}, ParseCluster([]byte("garbage\n=\nMaxArraySize=-3\n")))
	require.True(t, ParseCluster([]byte("JobAcctGatherParams = OverMemoryKill\n")).HoldsMemory)
	for text, want := range map[string]int{
		"MaxArraySize = 4001\nSchedulerParameters = bf_continue,max_array_tasks=100\n": 100,
		"MaxArraySize = 50\nSchedulerParameters = max_array_tasks=100,bf_interval=9\n": 50,
		"MaxArraySize = 50\nSchedulerParameters = (null)\n":                            50,
		"MaxArraySize = 0\n": 1,
	} {
		require.Equal(t, want, ParseCluster([]byte(text)).MaxArray, text)
	}
	none := ParseCluster([]byte("AccountingStorageType = accounting_storage/none\n"))
	require.False(t, none.Accounting)
}
