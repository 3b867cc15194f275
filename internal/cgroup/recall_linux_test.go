package cgroup_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/cgroup"
)

func TestRecallPassesOver(t *testing.T) {
	t.Parallel()
	require.Empty(t, cgroup.Recall([]string{
		"", "/", "/sys/fs/cgroup", "relative/daggy/s-a", "/tmp/daggy/s-a",
		"/sys/fs/cgroup/unified/daggy/e-a", "/sys/fs/cgroup/unified/daggy/../s-a",
	}).Dirs())
}
