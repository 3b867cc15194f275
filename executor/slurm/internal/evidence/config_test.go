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
	none := ParseCluster([]byte("AccountingStorageType = accounting_storage/none\n"))
	require.False(t, none.Accounting)
}
