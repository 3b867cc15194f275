//go:build linux || darwin

package fork

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/cgroup"
)

// group returns the control group for a command. Nil: it has none.
func (e *Executor) group(r dag.Resources) (*cgroup.Group, error) {
	if e.groups == nil {
		return nil, nil
	}
	asked := e.limits.of(r)
	if e.limits.Mode == LimitsRequired {
		err := e.checkLimits(asked)
		if _, limit := errors.AsType[*LimitError](err); limit {
			err = executor.Permanent(err)
		}
		if err != nil {
			return nil, err
		}
	}
	g, err := e.groups.Take(asked)
	switch {
	case err == nil:
		return g, nil
	case scarce(err):
		return nil, &executor.NotStartedError{Err: fmt.Errorf("fork: %w", err)}
	case e.limits.Mode == LimitsRequired:
		return nil, fmt.Errorf("fork: %w", err)
	}
	return nil, nil // what is not enforced is named
}

// outOfMemory adds to a result that the kernel killed for memory.
func outOfMemory(r *executor.Result, g *cgroup.Group) {
	if r.OK() || r.Cause != "" {
		return
	}
	peak, yes := g.KilledForMemory()
	if !yes {
		return
	}
	r.Cause, r.MaxRSS = executor.CauseMemory, peak
	text := fmt.Sprintf("out of memory: it had %s, and may have %s",
		mebibytes(peak), mebibytes(g.Holds().Memory))
	if r.Message != "" {
		text = r.Message + "; " + text
	}
	r.Message = text
}

func mebibytes(n int64) string { return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20)) }

// limitErr is what an error of starting a command in a group means. Nil: nothing.
func limitErr(err error, g *cgroup.Group) error {
	_, ofGroup := errors.AsType[*cgroup.Error](err)
	switch {
	case ofGroup && scarce(err):
		return &executor.NotStartedError{Err: fmt.Errorf("fork: %w", err)}
	case ofGroup:
		return fmt.Errorf("fork: %w", err)
	case scarce(err) && g.Short():
		return fmt.Errorf("fork: %s is too little memory to start it: %w",
			mebibytes(g.Holds().Memory), err)
	}
	return nil
}
