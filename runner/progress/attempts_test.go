package progress

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner"
)

// The attempts that have run longest are those of a plain map, sorted.
func TestAttemptsAgreeWithAMap(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		runs := []*runner.Handle{new(runner.Handle), new(runner.Handle)}
		l := newAttempts()
		model := map[attemptKey]attempt{}
		now := time.Now()
		names := 1 + random.IntN(3*recentSlots)
		for range 5000 {
			now = now.Add(time.Duration(random.IntN(3)))
			i := random.IntN(len(runs))
			key := attemptKey{runs[i], fmt.Sprintf("t%d of run %d", random.IntN(names), i)}
			a, ok := model[key]
			switch {
			case !ok:
				l.add(key, 1, now)
				model[key] = attempt{attemptKey: key, number: 1, since: now}
			case random.IntN(4) == 0:
				l.started(key, now)
				a.start(now)
				model[key] = a
			default:
				l.remove(key)
				delete(model, key)
			}
			if random.IntN(100) == 0 {
				n := random.IntN(4)
				require.Equal(t, longestOf(model, n), l.longest(n), "seed %d", seed)
			}
		}
		l.removeAll(runs[0])
		for _, a := range l.longest(len(model)) {
			require.Same(t, runs[1], a.run)
		}
		l.removeAll(runs[1])
		require.Empty(t, l.longest(10))
		require.Empty(t, l.long)
	}
}

func longestOf(model map[attemptKey]attempt, n int) []attempt {
	list := make([]attempt, 0, len(model))
	for _, a := range model {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b attempt) int {
		if a.before(&b) {
			return -1
		}
		return 1
	})
	return list[:min(n, len(list))]
}
