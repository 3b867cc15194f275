//go:build linux || darwin

package fork_test

import (
	"testing"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/executortest"
	"github.com/daggy-go/daggy/executor/fork"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	ways := map[string]func(*fork.Executor) *fork.Executor{
		"watched by a thread":    func(e *fork.Executor) *fork.Executor { return e },
		"watched by the runtime": fork.Crowded,
		"watched by goroutines":  fork.Portable,
		"without limits":         fork.WithoutLimits,
		"in groups of version 1": fork.OfVersion(1),
		"in groups of version 2": fork.OfVersion(2),
	}
	if ableToLimit(t) {
		ways["held to limits"] = fork.RequireLimits
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			executortest.Run(t, executortest.Config{
				New: func(testing.TB) executor.Executor {
					return way(fork.New(fork.Config{
						Grace:    100 * time.Millisecond,
						Capacity: capacity.Resources{dag.Cores: 4, dag.MemoryMB: 1024},
					}))
				},
				Jobs:   executortest.Processes(),
				Weaker: executortest.Weaker{NoPanics: "commands are other processes"},
			})
		})
	}
}
