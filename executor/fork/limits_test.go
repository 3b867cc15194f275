//go:build linux

package fork_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/cgroup"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// limited are resources that the kernel can hold a command to.
var limited = dag.Resources{dag.MemoryMB: 64, dag.Cores: 1, fork.Pids: 64}

// whyUnlimited says what keeps this process from holding commands to limits on this
// machine. Nil: nothing.
func whyUnlimited(tb testing.TB) error {
	tb.Helper()
	job := helper("exit", "0")
	job.Resources = limited
	err := fork.RequireLimits(setup(tb)).Validate(job)
	tb.Log("limits:", err)
	return err
}

func ableToLimit(tb testing.TB) bool {
	tb.Helper()
	return whyUnlimited(tb) == nil
}

// leaveNothing removes the control groups of all who have ended, and waits for its own
// and for those of this process to go.
func leaveNothing() {
	for range 2 {
		e := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsRequired}})
		_ = e.Validate(helper("exit", "0"))
		fork.AwaitGroups(e)
	}
}

func requireLimits(tb testing.TB) {
	tb.Helper()
	if !ableToLimit(tb) {
		tb.Skip("this process may not hold commands to limits on this machine")
	}
}

// waysToLimit are attempts that end with the engine, and those that do not.
func waysToLimit(t *testing.T) map[string]*fork.Executor {
	t.Helper()
	requireLimits(t)
	return map[string]*fork.Executor{
		"attached": fork.RequireLimits(setup(t)),
		"detached": fork.RequireLimits(detaching(place(t))),
	}
}

// What the kernel is asked for, whatever numbers a job has.
func TestWhatIsAsked(t *testing.T) {
	t.Parallel()
	huge := int64(math.MaxInt64)
	for name, c := range map[string]struct {
		limits fork.Limits
		job    dag.Resources
		want   cgroup.Limits
	}{
		"nothing": {fork.Limits{}, dag.Resources{"x": 1}, cgroup.Limits{}},
		"memory":  {fork.Limits{}, dag.Resources{dag.MemoryMB: 64}, asked(64<<20, 4096)},
		"memory, huge": {
			fork.Limits{}, dag.Resources{dag.MemoryMB: huge}, asked(huge>>20<<20, 4096),
		},
		"all cores":   {fork.Limits{}, dag.Resources{dag.Cores: huge}, asked(0, 4096)},
		"pids":        {fork.Limits{Pids: 9}, dag.Resources{fork.Pids: 7}, asked(0, 7)},
		"pids of all": {fork.Limits{Pids: 9}, nil, asked(0, 9)},
		"no bound": {
			fork.Limits{Pids: -9}, dag.Resources{dag.MemoryMB: 1}, asked(1<<20, 0),
		},
		"what is not asked": {
			fork.Limits{}, dag.Resources{dag.MemoryMB: 0, dag.Cores: -1}, asked(0, 0),
		},
		"no bound, but asks": {fork.Limits{Pids: -1}, dag.Resources{fork.Pids: 7}, asked(0, 7)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, fork.Asked(c.limits, c.job))
		})
	}
}

func asked(memory, pids int64) cgroup.Limits { return cgroup.Limits{Memory: memory, Pids: pids} }

// What is enforced is not named, and what cannot be is.
func TestUnenforced(t *testing.T) { // E6
	t.Parallel()
	for way, e := range waysToLimit(t) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			job := helper("exit", "0")
			job.Resources = dag.Resources{
				dag.MemoryMB: 100, dag.Cores: 1, fork.Pids: 100, "licences": 2, dag.GPUs: 1,
			}
			r, _, _ := run(t, e, job)
			require.Equal(t, []string{"gpus", "licences"}, r.Unenforced)
			job.Resources = dag.Resources{dag.Cores: 1 << 40, dag.MemoryMB: 1 << 50}
			r, _, _ = run(t, e, job)
			require.Empty(t, r.Unenforced, "nobody can have more than all")
		})
	}
}

func TestEnforced(t *testing.T) {
	t.Parallel()
	names, missing := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsOff}}).Enforced()
	require.Empty(t, names)
	require.ErrorContains(t, missing, "off")
	names, missing = setup(t).Enforced()
	if all := []string{dag.Cores, dag.MemoryMB, fork.Pids}; ableToLimit(t) {
		require.NoError(t, missing)
		require.Equal(t, all, names)
	} else {
		require.Error(t, missing)
		require.Less(t, len(names), len(all))
		require.Subset(t, all, names)
	}
}

// Without permission limits are not enforced, which is said, or jobs are refused, which
// says what to do.
func TestWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 && !errors.Is(whyUnlimited(t), unix.EACCES) {
		t.Skip("this user has some, and only root can become somebody who has none")
	}
	output, err := helperproc.Exec(t.Context(), "engine-nobody").CombinedOutput()
	require.NoError(t, err, string(output))
}

// engineNobody has no permission for anything.
func engineNobody([]string) (int, error) {
	const nobody = 65534
	if os.Getuid() == 0 {
		if err := errors.Join(syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
			return 0, err
		}
	}
	a := attempt(dag.Command("/bin/true"))
	a.Job.Resources = limited
	r, err := fork.New(fork.Config{}).Run(context.Background(), a)
	if names := fmt.Sprint(r.Unenforced); err != nil || names != "[cores memoryMB pids]" {
		return 0, fmt.Errorf("%v, not enforced: %s: %w", r, names, err)
	}
	e := fork.New(fork.Config{Limits: fork.Limits{Mode: fork.LimitsRequired}})
	refused := e.Validate(a.Job)
	_, err = e.Run(context.Background(), a)
	for _, err := range []error{refused, err} {
		limit, ok := errors.AsType[*fork.LimitError](err)
		if !ok || !errors.Is(limit, unix.EACCES) || !strings.Contains(err.Error(), "Delegate=yes") {
			return 0, fmt.Errorf("not that it is refused: %w", err)
		}
	}
	problems, ok := errors.AsType[*multierror.Error](refused)
	if !ok {
		return 0, fmt.Errorf("not a list of problems: %w", refused)
	}
	for _, err := range problems.Errors {
		if _, nested := errors.AsType[*multierror.Error](err); nested {
			return 0, fmt.Errorf("not one of the problems of the job: %w", err)
		}
	}
	names, missing := e.Enforced()
	if len(names) != 0 || !errors.Is(missing, unix.EACCES) {
		return 0, fmt.Errorf("%v are enforced: %w", names, missing)
	}
	if !executor.IsPermanent(err) {
		return 0, fmt.Errorf("not permanent: %w", err)
	}
	return 0, nil
}
