//go:build linux || darwin

package fork_test

import (
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		job  dag.Job
		want []string // one for each problem
	}{
		"command":                 {dag.Command("no-such-command"), nil},
		"command string":          {dag.Job{CommandString: "echo 'a b'"}, nil},
		"placeholder for command": {dag.Command("{{TOOL}}"), nil},
		"placeholder for an entry": {
			dag.Job{Command: []string{"env"}, Environment: []string{"{{ENTRY}}", "A={{X}}", "B="}},
			nil,
		},
		"resources are the runner's business": {
			dag.Job{Command: []string{"true"}, Resources: dag.Resources{"qubits": 1 << 40}},
			nil,
		},
		"nothing":    {dag.Job{}, []string{"no command"}},
		"blank":      {dag.Job{CommandString: " "}, []string{"no command"}},
		"no comment": {dag.Job{CommandString: "# echo"}, nil},
		"empty word": {dag.Command("", "a"), []string{"no command"}},
		"open quote": {dag.Job{CommandString: "echo 'a"}, []string{"echo 'a"}},
		"entry": {
			dag.Job{Command: []string{"true"}, Environment: []string{"A"}},
			[]string{`"A"`},
		},
		"misspelt member": {options("comand"), []string{"did you mean command?"}},
		"wrong case":      {options("memoryMb"), []string{"did you mean memoryMB?"}},
		"no such option":  {options("partition"), []string{"local processes take none"}},
		"all at once": {
			dag.Job{Options: map[string]any{"b": 1, "a": 2}, Environment: []string{"=x"}},
			[]string{"no command", `"=x"`, `"a"`, `"b"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := setup(t).Validate(c.job)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			var all *multierror.Error
			require.ErrorAs(t, err, &all)
			require.Len(t, all.Errors, len(c.want))
			for i, want := range c.want {
				require.ErrorContains(t, all.Errors[i], want)
			}
		})
	}
}

func options(name string) dag.Job {
	return dag.Job{Command: []string{"true"}, Options: map[string]any{name: true}}
}

func TestNewHasTheCapacityOf(t *testing.T) {
	t.Parallel()
	t.Run("this machine", func(t *testing.T) {
		t.Parallel()
		nodes := fork.New(fork.Config{}).Allocator().Nodes()
		require.Len(t, nodes, 1)
		want, err := capacity.Detect()
		require.NoError(t, err)
		require.Equal(t, want[dag.Cores], nodes[0].Total[dag.Cores])
		require.Positive(t, nodes[0].Total[dag.MemoryMB])
	})
	t.Run("what is said", func(t *testing.T) {
		t.Parallel()
		total := capacity.Resources{dag.Cores: 3, "licences": 1}
		nodes := fork.New(fork.Config{Capacity: total}).Allocator().Nodes()
		require.Len(t, nodes, 1)
		require.Equal(t, total, nodes[0].Total)
	})
	t.Run("an allocator of others", func(t *testing.T) {
		t.Parallel()
		shared := capacity.New()
		require.Same(t, shared, fork.New(fork.Config{Allocator: shared}).Allocator())
	})
}
