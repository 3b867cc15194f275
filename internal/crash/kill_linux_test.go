package crash_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/statelog"
)

// mercy is after how many kills engines of a run are left alone: a task that ends
// with its engine, and takes longer than any engine lives, would never complete.
const mercy = 40

// untilOver kills engines at random until the run is over, and again when what
// failed has been mended.
func (s *site) untilOver(killed func()) {
	s.t.Helper()
	for {
		after := time.Duration(1+s.rng.IntN(200)) * time.Millisecond
		if s.kills >= mercy {
			after = -1
		}
		switch s.engine("", after) {
		case exitCompleted:
			return
		case exitFailed:
			require.Equal(s.t, "broken failed failure\nnever skipped success\n", s.said)
			s.mend()
		default:
			killed()
		}
	}
}

// Engines die at random, and all is as if they had not: every task succeeds
// exactly once.
func TestKill(t *testing.T) { // L4, E5
	t.Parallel()
	rng, kills := random(t), 0
	for kills < *killsFlag {
		s := newSite(t, detached, rng)
		s.untilOver(func() {})
		s.judgeExactlyOnce()
		kills += s.kills
	}
	t.Logf("%d engines were killed, and every task succeeded exactly once", kills)
}

// judgeExactlyOnce checks a run that is over, by what its tasks say.
func (s *site) judgeExactlyOnce() {
	s.t.Helper()
	s.empty()
	all, err := lives(s.dir)
	require.NoError(s.t, err)
	require.Empty(s.t, exactlyOnce(all, expected()))
}

// Engines die right before and right after they append a record, of each kind.
func TestKillAtEveryRecord(t *testing.T) { // L1, L2
	t.Parallel()
	rng := random(t)
	fired := map[point]int{}
	missing := func() (some []point) {
		for _, p := range points() {
			if fired[p] == 0 {
				some = append(some, p)
			}
		}
		return some
	}
	for round := 0; len(missing()) > 0; round++ {
		require.Less(t, round, 10, "never came to %s", missing())
		s := newSite(t, detached, rng)
		s.throughPoints(missing(), fired)
		s.judgeExactlyOnce()
	}
	t.Logf("engines died at these points, so often: %v", fired)
}

// throughPoints has engines die at points, one after the other, until the run is
// over.
func (s *site) throughPoints(ahead []point, fired map[point]int) {
	s.t.Helper()
	s.rng.Shuffle(len(ahead), func(i, k int) { ahead[i], ahead[k] = ahead[k], ahead[i] })
	// A run is opened once, and only its first engine can die of that.
	slices.SortStableFunc(ahead, func(a, b point) int {
		return cmp.Compare(min(a.kind, statelog.Opened+1), min(b.kind, statelog.Opened+1))
	})
	for {
		at := ""
		if len(ahead) > 0 {
			at = ahead[0].String()
		}
		switch s.engine(at, -1) {
		case exitCompleted:
			return
		case exitFailed:
			s.mend()
		case -1:
			fired[ahead[0]]++
			ahead = ahead[1:]
		default: // it has detached without such a record
			ahead = ahead[1:]
		}
	}
}

// When the supervisor dies too, what it ran is stopped before it runs again.
func TestKillSupervisor(t *testing.T) { // E3, E5
	t.Parallel()
	s := newSite(t, detached, random(t))
	supervisors := 0
	s.untilOver(func() {
		pid, err := supervisor(s.dir)
		require.NoError(t, err)
		if pid == 0 || s.rng.IntN(2) == 0 || supervisors >= 12 {
			return
		}
		require.NoError(t, unix.Kill(pid, unix.SIGKILL))
		supervisors++
	})
	s.empty()
	all, err := lives(s.dir)
	require.NoError(t, err)
	require.Empty(t, atLeastOnce(all, expected(), s.successes(), true))
	t.Logf("%d engines and %d supervisors were killed", s.kills, supervisors)
}

// Processes that end with their engine, or are not found again, may run more than
// once, but never after a success that was recorded.
func TestKillAttached(t *testing.T) { // L4
	t.Parallel()
	s := newSite(t, attached, random(t))
	s.untilOver(func() {})
	all, err := lives(s.dir)
	require.NoError(t, err)
	require.Empty(t, atLeastOnce(all, expected(), s.successes(), false))
	t.Logf("%d engines were killed", s.kills)
}
