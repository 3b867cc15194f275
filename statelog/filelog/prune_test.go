package filelog

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/statelog"
)

func (d *disk) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	size := 0
	for _, node := range d.names {
		size += len(node.data)
	}
	return size
}

func closeRun(t *testing.T, log *Log, run string, after uint64) {
	t.Helper()
	recs := []statelog.Record{{Kind: statelog.Closed, Time: epoch, State: "completed"}}
	_, err := log.Append(t.Context(), run, after, recs)
	require.NoError(t, err)
}

var everything = statelog.Retention{Age: time.Nanosecond}

// Space comes back, again and again, though a run that is not closed has records
// everywhere.
func TestSpaceComesBack(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log, err := open(t.Context(), "/log", d, Config{SegmentSize: 4000})
	require.NoError(t, err)
	var long uint64
	for round := range 20 {
		for i := range 10 {
			run := fmt.Sprint("run ", i)
			end := appendTo(t, log, run, 0, 20)
			_, err := log.Append(t.Context(), run, end, []statelog.Record{record(7)})
			require.NoError(t, err)
			closeRun(t, log, run, end+1)
			long = appendTo(t, log, "long", long, 1)
		}
		removed, err := log.Prune(t.Context(), everything)
		require.NoError(t, err)
		require.Equal(t, 10, removed)
		require.Less(t, d.size(), 8000+80*int(long), "round %d", round)
	}
	require.Len(t, read(t, log, "long"), int(long))
	require.NoError(t, log.Close())
	again := openOn(t, d)
	require.Len(t, read(t, again, "long"), int(long))
	require.Len(t, again.runs, 1)
	require.LessOrEqual(t, len(again.dead), 10, "what was removed is remembered for ever")
	require.NoError(t, again.Close())
}

// A run that an engine has, or goes on with meanwhile, stays.
func TestPruneLeavesWhatIsInUse(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	for _, run := range []string{"locked", "read", "unused"} {
		closeRun(t, log, run, appendTo(t, log, run, 0, 5))
	}
	release, err := log.Lock(t.Context(), "locked", "engine")
	require.NoError(t, err)
	seen := 0
	for _, err := range log.Read(t.Context(), "read", 0) {
		require.NoError(t, err, "a read that has begun goes on")
		if seen++; seen == 1 {
			removed, err := log.Prune(t.Context(), everything)
			require.NoError(t, err)
			require.Equal(t, 2, removed)
		}
	}
	require.Equal(t, 6, seen)
	require.Len(t, read(t, log, "locked"), 6)
	require.NoError(t, release())
	require.NoError(t, log.Close())
}

// Everything at once: no run loses or gains a record, whoever prunes meanwhile.
func TestPruneWhileAppending(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log, err := open(t.Context(), "/log", d, Config{SegmentSize: 2000})
	require.NoError(t, err)
	var group, pruning errgroup.Group
	done := make(chan struct{})
	pruning.Go(func() error {
		for {
			if _, err := log.Prune(t.Context(), everything); err != nil {
				return err
			}
			select {
			case <-done:
				return nil
			default:
			}
		}
	})
	for w := range 4 {
		group.Go(func() error {
			for i := range 30 {
				run := fmt.Sprintf("run %d.%d", w, i)
				after := uint64(0)
				for n := range 5 {
					end, err := log.Append(t.Context(), run, after, intents(n+1))
					if err != nil {
						return err
					}
					after = end
					for rec, err := range log.Read(t.Context(), run, after-1) {
						if err != nil {
							return err
						}
						if rec.Seq != after || rec.Task != n {
							return fmt.Errorf("record %d of %s is %v", after, run, rec)
						}
					}
				}
				if i%3 > 0 {
					closeRun(t, log, run, after)
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	close(done)
	require.NoError(t, pruning.Wait())
	_, err = log.Prune(t.Context(), everything)
	require.NoError(t, err)
	check := func(log *Log) {
		left := 0
		for info, err := range log.Runs(t.Context(), statelog.Query{}) {
			require.NoError(t, err)
			require.NotEqual(t, "completed", info.State)
			require.Len(t, read(t, log, info.Run), 15)
			left++
		}
		require.Equal(t, 40, left)
	}
	check(log)
	check(openOn(t, d.crash(rand.New(rand.NewPCG(1, 1)))))
	require.NoError(t, log.Close())
	check(openOn(t, d))
}

// Close waits for a Prune, which alters what Close looks at.
func TestCloseWhilePruning(t *testing.T) {
	t.Parallel()
	for range 100 {
		log := openOn(t, newDisk())
		for i := range 5 {
			run := fmt.Sprint("run ", i)
			closeRun(t, log, run, appendTo(t, log, run, 0, 20))
		}
		appendTo(t, log, "long", 0, 1)
		var g errgroup.Group
		g.Go(func() error {
			_, err := log.Prune(t.Context(), everything)
			if errors.Is(err, ErrClosed) {
				return nil
			}
			return err
		})
		g.Go(log.Close)
		require.NoError(t, g.Wait())
	}
}

// A Read that outlives the log removes nothing of the directory, which may be
// another's by then.
func TestReadOutlivesLog(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	after := appendTo(t, log, "long", 0, 2)
	closeRun(t, log, "run", appendTo(t, log, "run", 0, 30))
	next, stop := iter.Pull2(log.Read(t.Context(), "long", 0))
	defer stop()
	_, err, ok := next()
	require.True(t, ok)
	require.NoError(t, err)
	_, err = log.Prune(t.Context(), everything)
	require.NoError(t, err)
	require.Contains(t, d.names, segmentName(1), "it is read")
	require.NoError(t, log.Close())
	again := openOn(t, d)
	there := slices.Sorted(maps.Keys(d.names))
	stop()
	require.Equal(t, there, slices.Sorted(maps.Keys(d.names)))
	require.Len(t, read(t, again, "long"), int(after))
	require.NoError(t, again.Close())
}
