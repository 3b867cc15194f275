//go:build ownclock

// Tests that set the clock of the machine, which only one that belongs to them can stand:
// internal/integration/vm boots one.

package remote_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/remote"
)

// step puts the clock of the machine forward, or back.
func step(t *testing.T, by time.Duration) {
	t.Helper()
	now := unix.NsecToTimeval(time.Now().Add(by).UnixNano())
	require.NoError(t, unix.Settimeofday(&now))
}

// stepping returns a fault: the clock goes forward by a year and then back again.
func stepping(t *testing.T) func() {
	t.Helper()
	ahead := false
	t.Cleanup(func() {
		if ahead {
			step(t, -year)
		}
	})
	return func() {
		by := year
		if ahead {
			by = -year
		}
		step(t, by)
		ahead = !ahead
	}
}

const year = 365 * 24 * time.Hour

// Leases do not end by a clock that is put forward, nor are they longer when it is put
// back, and no task has taken less or more time for it.
func TestStepsOfTheClock(t *testing.T) {
	machines := []*machine{boot(t, "a", cores(3)), boot(t, "b", cores(3))}
	e := fleet(t, remote.Config{OnUnreachable: remote.Replace}, machines...)
	began, step := time.Now(), stepping(t)
	tasks := runMarking(t, e, func(rng *rand.Rand, i int) {
		step()
		if i%4 == 3 {
			m := machines[rng.IntN(len(machines))]
			m.kill()
			m.start()
		}
	})
	for _, task := range tasks {
		require.Equal(t, 1, task.Attempts)
		took := task.Result.End.Sub(task.Result.Start)
		require.Positive(t, took, task.Name)
		require.Less(t, took, time.Since(began), task.Name)
	}
}

// Engines after such a step find what runs.
func TestStepsOfTheClockBetweenEngines(t *testing.T) {
	killEngines(t, stepping(t))
}
