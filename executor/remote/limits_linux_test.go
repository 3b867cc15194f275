package remote_test

import (
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// A daemon holds commands to what they ask for, as far as its machine allows, and what it
// does not hold them to is named (E6). It refuses them if it is told to.
func TestLimitsOfADaemon(t *testing.T) {
	t.Parallel()
	own := capacity.Resources{dag.Cores: 2, dag.MemoryMB: 1000, "licences": 1}
	enforced, missing := fork.New(fork.Config{}).Enforced()
	t.Log("enforced here:", enforced, "not:", missing)
	job := dag.Command(helperproc.Command("memory", strconv.Itoa(200<<20))...)
	job.Resources = dag.Resources{dag.MemoryMB: 64, "licences": 1}
	held := slices.Contains(enforced, dag.MemoryMB)

	a := bootAs(t, daemonConfig{Node: "a", Capacity: own})
	strict := bootAs(t, daemonConfig{
		Node: "strict", Capacity: own, Limits: fork.Limits{Mode: fork.LimitsRequired},
	})
	off := bootAs(t, daemonConfig{
		Node: "off", Capacity: own, Limits: fork.Limits{Mode: fork.LimitsOff},
	})
	e := fleet(t, remote.Config{}, a, strict, off)
	run := func(node string) *call {
		c := start(t, e, node, strings.ToLower(rand.Text()), func(c *call) { c.Job = job })
		<-c.done
		return c
	}

	c := run("a")
	require.NoError(t, c.err)
	want := []string{"licences"}
	if !held {
		want = append(want, dag.MemoryMB)
	}
	require.Equal(t, want, c.result.Unenforced)
	require.Equal(t, held, c.result.Cause == executor.CauseMemory, "%+v", c.result)

	c = run("strict")
	if held && slices.Contains(enforced, fork.Pids) {
		require.NoError(t, c.err)
		require.Equal(t, executor.CauseMemory, c.result.Cause)
		require.Contains(t, c.result.Message, "may have 64 MiB")
	} else {
		require.True(t, executor.IsPermanent(c.err), "%v", c.err)
		require.ErrorContains(t, c.err, "cannot be limited")
	}

	c = run("off")
	require.NoError(t, c.err)
	require.True(t, c.result.OK(), "%+v", c.result)
	require.Equal(t, []string{"licences", dag.MemoryMB}, c.result.Unenforced)
}
