package sim_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "run this seed alone; 0: many")
	seedsFlag   = flag.Int("seeds", 0, "how many seeds; 0: 3,000, fewer with -race or -short")
	firstFlag   = flag.Uint64("first", 1, "the first of them")
	traceFlag   = flag.Bool("trace", false, "print what happened in the seed")
	shrinkFlag  = flag.Bool("shrink", true, "make histories that fail smaller")
	withoutFlag = flag.String("without", "", "tasks and faults to leave out, separated by commas")
)

// leastCovering is how many seeds it takes for everything to occur.
const leastCovering = 700

// TestSim runs the seeds that once found a mistake, and many more.
func TestSim(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		replaySeed(t)
		return
	}
	n := *seedsFlag
	switch {
	case n > 0:
	case testing.Short():
		n = 300
	case raceDetector:
		n = leastCovering
	default:
		n = 3000
	}
	seeds := foundSeeds(t)
	for i := range n {
		seeds = append(seeds, *firstFlag+uint64(i))
	}
	all := &summary{seen: map[string]int{}}
	runSeeds(t, seeds, all)
	for _, w := range all.broken {
		if *shrinkFlag {
			w = shrink(t, w)
		}
		t.Error(w.report())
	}
	if !t.Failed() && n >= leastCovering && *withoutFlag == "" {
		all.checkCoverage(t)
	}
}

// summary is what came of many seeds.
type summary struct {
	mu     sync.Mutex
	seen   map[string]int
	broken []*world
}

// maxBroken is after how many seeds that fail no more are run.
const maxBroken = 3

// add counts a seed, and reports whether to go on.
func (s *summary) add(w *world) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, times := range w.seen {
		s.seen[what] += times
	}
	if w.broken != nil {
		s.broken = append(s.broken, w)
	}
	return len(s.broken) < maxBroken
}

// runSeeds runs seeds, as many at once as there are processors.
func runSeeds(t *testing.T, seeds []uint64, all *summary) {
	t.Helper()
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(seeds) || !all.add(simulate(t, settings{
					seed: seeds[i], without: without(),
				})) {
					return
				}
			}
		})
	}
	workers.Wait()
}

// foundSeeds are those that once found a mistake.
func foundSeeds(t *testing.T) []uint64 {
	t.Helper()
	data, err := os.ReadFile("testdata/seeds.txt")
	require.NoError(t, err)
	var seeds []uint64
	for line := range strings.Lines(string(data)) {
		number, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if number == "" || number == "#" {
			continue
		}
		seed, err := strconv.ParseUint(number, 10, 64)
		require.NoError(t, err)
		seeds = append(seeds, seed)
	}
	return seeds
}

// replaySeed runs one seed, as the report of a failure says.
func replaySeed(t *testing.T) {
	t.Helper()
	w := simulate(t, settings{seed: *seedFlag, keep: *traceFlag, without: without()})
	if *traceFlag {
		_, err := io.WriteString(os.Stderr, strings.Join(w.trace, "\n")+"\n")
		require.NoError(t, err)
	}
	require.NoError(t, w.broken)
}

// without returns what the flag of that name leaves out.
func without() map[string]bool {
	names := map[string]bool{}
	for name := range strings.SplitSeq(*withoutFlag, ",") {
		names[name] = true
	}
	return names
}

// simulate runs a seed in a bubble of its own. Goroutines of an engine that wait
// for something that never comes are a violation too.
func simulate(t *testing.T, s settings) (w *world) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil && w.broken == nil {
			w.broken = fmt.Errorf("R5: %v", v)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(context.WithoutCancel(t.Context()), s)
		w.drive()
	})
	return w
}

// TestDeterminism runs seeds twice: the same must happen.
func TestDeterminism(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		first := simulate(t, settings{seed: seed, keep: true})
		again := simulate(t, settings{seed: seed, keep: true})
		require.Equal(t, first.trace, again.trace, "seed %d", seed)
	}
}
