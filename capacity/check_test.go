package capacity_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

func TestCheckLeasesNothing(t *testing.T) {
	t.Parallel()
	a := capacity.New(capacity.Node{Name: "a", Total: capacity.Resources{dag.Cores: 4}})
	ask := func(cores int64) *capacity.RefusedError {
		err := a.Check(capacity.Resources{dag.Cores: cores})
		refused, _ := errors.AsType[*capacity.RefusedError](err)
		return refused
	}
	require.Nil(t, ask(4))
	require.Equal(t, int64(4), a.Nodes()[0].Free[dag.Cores])

	lease, err := a.TryAllocate(capacity.Resources{dag.Cores: 3})
	require.NoError(t, err)
	require.False(t, ask(2).Never)
	require.True(t, ask(5).Never)
	lease.Release()
	require.Nil(t, ask(2))
	require.ErrorIs(t, a.Check(capacity.Resources{dag.Cores: -1}), capacity.ErrNegative)
}
