package main

import (
	"os"
	"path/filepath"

	"github.com/daggy-go/daggy/executor/slurm"
	"github.com/daggy-go/daggy/runner"
)

// onSlurm has tasks be jobs of a cluster. With -log they outlive the program.
func (o *options) onSlurm() *runner.Runner {
	c := slurm.Config{Dir: o.shared, MaxQueued: o.parallel}
	if c.Dir == "" {
		if home, err := os.UserHomeDir(); err == nil {
			c.Dir = filepath.Join(home, "daggy-slurm")
		} // else what checks the definition says what is missing
	}
	if dir, err := filepath.Abs(c.Dir); err == nil && c.Dir != "" {
		c.Dir = dir
	}
	r := &runner.Runner{Executor: slurm.New(c), FailFast: o.failFast}
	r.MaxRunning = slurm.DefaultMaxQueued
	if o.parallel > 0 {
		r.MaxRunning = o.parallel
	}
	return r
}
