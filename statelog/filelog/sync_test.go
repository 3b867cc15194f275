package filelog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/statelog"
)

// intents are small records.
func intents(n int) []statelog.Record {
	recs := make([]statelog.Record, n)
	for i := range recs {
		recs[i] = statelog.Record{Kind: statelog.Intent, Time: epoch, Task: i, Attempt: 1}
	}
	return recs
}

func appendTo(t *testing.T, log *Log, run string, after uint64, n int) uint64 {
	t.Helper()
	end, err := log.Append(t.Context(), run, after, intents(n))
	require.NoError(t, err)
	return end
}

// requireRun checks that a disk that was found has so many records of the run.
func requireRun(t *testing.T, found *disk, records int, message ...any) {
	t.Helper()
	log := openOn(t, found)
	require.Len(t, read(t, log, "run"), records, message...)
	require.NoError(t, log.Close())
}

// L5: nothing is written to a file after a sync of it failed. What was not known
// to be on the disk is in another, and what the first one says after it is void.
func TestFailedSyncIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	after := appendTo(t, log, "run", 0, 2)
	failed := ""
	d.fault = func(op, name string) (int, error) {
		switch {
		case failed == "" && op == "sync":
			failed = name
			return 0, syscall.EIO
		case failed != "" && name == failed && op != "remove":
			t.Errorf("%s of %s after its sync failed", op, name)
		}
		return 0, nil
	}
	after = appendTo(t, log, "run", after, 3)
	after = appendTo(t, log, "run", after, 1)
	require.Equal(t, segmentName(1), failed)
	require.Len(t, read(t, log, "run"), int(after))
	require.NoError(t, log.Close())
	require.Len(t, d.segments(), 2)
	d.fault = nil // another process may cut it

	// All that was written to the first file is there, or none of it is.
	for seed := range uint64(20) {
		found := d.crash(rand.New(rand.NewPCG(seed, 0)))
		requireRun(t, found, int(after))
	}
	again := openOn(t, d)
	require.Len(t, read(t, again, "run"), int(after))
	require.Nil(t, again.Found().Torn)
	require.NoError(t, again.Close())
}

// L3: if a commit cannot be written anywhere else, nobody knows whether it counts,
// until the next one is on the disk: then it does not, whatever is on it.
func TestAmbiguousAppend(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	after := appendTo(t, log, "run", 0, 2)
	d.fault = func(op, _ string) (int, error) {
		if op == "sync" || op == "create" {
			return 0, syscall.EIO
		}
		return 0, nil
	}
	_, err := log.Append(t.Context(), "run", after, intents(3))
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	require.ErrorIs(t, err, syscall.EIO)
	require.Len(t, read(t, log, "run"), 2)
	for seed, seen := 0, map[int]bool{}; len(seen) < 2; seed++ {
		require.Less(t, seed, 100, "the commit is always there, or never: %v", seen)
		again := openOn(t, d.crash(rand.New(rand.NewPCG(uint64(seed), 0))))
		n := len(read(t, again, "run"))
		require.Contains(t, []int{2, 5}, n)
		seen[n] = true
		require.NoError(t, again.Close())
	}
	_, err = log.Append(t.Context(), "run", after, intents(4))
	require.Error(t, err)
	require.NotErrorIs(t, err, statelog.ErrAmbiguous, "nothing was written")

	d.fault = nil
	after = appendTo(t, log, "run", after, 1)
	require.NoError(t, log.Close())
	for seed := range uint64(20) {
		requireRun(t, d.crash(rand.New(rand.NewPCG(seed, 1))), int(after), "seed %d", seed)
	}
}

// L5: a segment whose name may not be durable is void once the next one is there,
// though it can be read.
func TestVoidSegment(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	after := appendTo(t, log, "run", 0, 2)
	d.fault = func(op, name string) (int, error) {
		first := op == "sync" && name == segmentName(1)
		if first || op == "syncdir" || op == "remove" {
			return 0, syscall.EIO
		}
		return 0, nil
	}
	_, err := log.Append(t.Context(), "run", after, intents(3))
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	d.fault = nil
	again := openOn(t, d.copy())
	require.Len(t, read(t, again, "run"), 5, "it was added, as far as anybody can tell")
	require.NoError(t, again.Close())

	after = appendTo(t, log, "run", after, 1)
	require.NoError(t, log.Close())
	require.Len(t, d.segments(), 3)
	again = openOn(t, d)
	require.Len(t, read(t, again, "run"), int(after))
	require.Len(t, d.segments(), 2)
	require.NoError(t, again.Close())
}

// L5: a segment that may be there after a crash, for its directory could not be
// synced, does not end the one before if that is gone on with.
func TestSegmentThatMayBeThere(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		d := newDisk()
		log := openOn(t, d)
		after := appendTo(t, log, "run", 0, 1)
		d.fault = func(op, _ string) (int, error) {
			if op == "syncdir" {
				return 0, syscall.EIO
			}
			return 0, nil
		}
		_, err := log.Append(t.Context(), "run", after, intents(50))
		require.ErrorIs(t, err, statelog.ErrAmbiguous)
		d.fault = nil
		after = appendTo(t, log, "run", after, 1)
		requireRun(t, d.crash(rand.New(rand.NewPCG(seed, 0))), int(after), "seed %d", seed)
		require.NoError(t, log.Close())
	}
}

// L5: a segment that came to nothing and cannot be removed stays void, whatever is
// compacted.
func TestVoidSegmentThatStays(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	d.fault = func(op, _ string) (int, error) {
		if op == "syncdir" || op == "remove" {
			return 0, syscall.EIO
		}
		return 0, nil
	}
	_, err := log.Append(t.Context(), "run", 0, intents(1))
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	d.fault = nil
	after := appendTo(t, log, "run", 0, 2)
	closeRun(t, log, "other", appendTo(t, log, "other", 0, 30))
	for range 2 {
		_, err = log.Prune(t.Context(), everything)
		require.NoError(t, err)
	}
	requireRun(t, d.copy(), int(after))
	require.NoError(t, log.Close())
}

// L5: what a failed write has left, and was cut off, does not come back once the
// segment that says where this one ends was compacted away.
func TestCutStaysCut(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		d := newDisk()
		log := openOn(t, d)
		after := appendTo(t, log, "run", 0, 10)
		d.fault = func(op, name string) (int, error) {
			if op == "write" && name == segmentName(1) {
				return 30, syscall.ENOSPC
			}
			return 0, nil
		}
		_, err := log.Append(t.Context(), "run", after, intents(3))
		require.ErrorIs(t, err, syscall.ENOSPC)
		d.fault = nil
		closeRun(t, log, "other", appendTo(t, log, "other", 0, 30))
		after = appendTo(t, log, "run", after, 30)
		_, err = log.Prune(t.Context(), everything)
		require.NoError(t, err)
		requireRun(t, d.crash(rand.New(rand.NewPCG(seed, 0))), int(after), "seed %d", seed)
		require.NoError(t, log.Close())
	}
}

// L5: a disk that is full makes Append fail and adds nothing. When there is room
// again, it goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for room := range 300 {
		d := newDisk()
		log := openOn(t, d)
		after := appendTo(t, log, "run", 0, 3)
		d.room = room
		failures := 0
		for i := 0; failures < 3; i++ {
			end, err := log.Append(t.Context(), "run", after, intents(1+i%3))
			if err == nil {
				after = end
				continue
			}
			failures++
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.NotErrorIs(t, err, statelog.ErrAmbiguous)
			require.Len(t, read(t, log, "run"), int(after))
		}
		recs := []statelog.Record{record(7)}
		_, err := log.Append(t.Context(), "run", after, recs)
		require.ErrorIs(t, err, syscall.ENOSPC, "a record with a file of its own")
		require.NotContains(t, d.names, sideName(1))
		again := openOn(t, d.copy())
		require.Nil(t, again.Found().Torn, "what was written in part is left there")
		require.Len(t, read(t, again, "run"), int(after))
		require.NoError(t, again.Close())

		d.room = -1
		after = appendTo(t, log, "run", after, 2)
		_, err = log.Append(t.Context(), "run", after, recs)
		require.NoError(t, err)
		require.NoError(t, log.Close())
		again = openOn(t, d)
		require.Len(t, read(t, again, "run"), int(after)+1)
		require.NoError(t, again.Close())
	}
}

// A gate holds up the next sync.
type gate struct{ reached, pass chan struct{} }

// holdSync makes the next sync wait, and the one after that return err.
func holdSync(d *disk, err error) gate {
	g := gate{make(chan struct{}), make(chan struct{})}
	syncs := 0
	d.fault = func(op, _ string) (int, error) {
		if op != "sync" && op != "create" {
			return 0, nil
		}
		switch syncs++; {
		case syncs > 1:
			return 0, err
		default:
			d.mu.Unlock()
			close(g.reached)
			<-g.pass
			d.mu.Lock()
			return 0, nil
		}
	}
	return g
}

func (l *Log) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

// whileHeld has appends wait for a sync, and returns what each returned.
func whileHeld(t *testing.T, d *disk, log *Log, err error, appends ...func() error) []error {
	t.Helper()
	g := holdSync(d, err)
	var group errgroup.Group
	group.Go(func() error {
		_, err := log.Append(t.Context(), "holding", 0, intents(1))
		return err
	})
	<-g.reached
	errs := make([]error, len(appends))
	for i, f := range appends {
		group.Go(func() error {
			errs[i] = f()
			return nil
		})
		for log.waiting() <= i {
			if t.Context().Err() != nil {
				break
			}
		}
	}
	close(g.pass)
	require.NoError(t, group.Wait())
	d.fault = nil
	return errs
}

// L2: whatever waits when the disk is idle is made durable by one sync.
func TestManyAppendsShareASync(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	appendTo(t, log, "first", 0, 1)
	var appends []func() error
	for i := range 50 {
		appends = append(appends, func() error {
			_, err := log.Append(t.Context(), fmt.Sprint("run ", i), 0, intents(2))
			return err
		})
	}
	before := log.nextCommit
	require.NoError(t, errors.Join(whileHeld(t, d, log, nil, appends...)...))
	require.Equal(t, before+2, log.nextCommit, "commits")
	for i := range 50 {
		require.Len(t, read(t, log, fmt.Sprint("run ", i)), 2)
	}
	require.NoError(t, log.Close())
}

// L3: of two engines in one commit one is fenced, but not by a commit that fails.
func TestFencedInACommit(t *testing.T) {
	t.Parallel()
	for _, fails := range []bool{false, true} {
		d := newDisk()
		log := openOn(t, d)
		after := appendTo(t, log, "run", 0, 1)
		engine := func() error {
			_, err := log.Append(t.Context(), "run", after, intents(1))
			return err
		}
		stale := func() error {
			_, err := log.Append(t.Context(), "run", after+5, intents(1))
			return err
		}
		var fault error
		if fails {
			fault = syscall.EIO
		}
		errs := whileHeld(t, d, log, fault, engine, engine, stale)
		require.ErrorIs(t, errs[2], statelog.ErrFenced)
		if fails {
			require.ErrorIs(t, errs[0], syscall.EIO)
			require.NotErrorIs(t, errs[1], statelog.ErrFenced, "by what came to nothing")
			require.Error(t, errs[1])
			require.NoError(t, engine())
		} else {
			require.NoError(t, errs[0])
			require.ErrorIs(t, errs[1], statelog.ErrFenced)
		}
		require.Len(t, read(t, log, "run"), 2)
		require.NoError(t, log.Close())
	}
}

// A record that is large is in a file of its own, which is checked when it is
// read.
func TestDamagedSideFile(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	appendTo(t, log, "run", 0, 2)
	_, err := log.Append(t.Context(), "run", 2, []statelog.Record{record(7)})
	require.NoError(t, err)
	data := d.names[sideName(1)].data
	for at := range sideHead + 10 {
		data[at] ^= 4
		requireDamage(t, log, sideName(1), 3)
		data[at] ^= 4
	}
	require.Len(t, read(t, log, "run"), 3)
	delete(d.names, sideName(1))
	requireDamage(t, log, sideName(1), 3)
	require.NoError(t, log.Close())
}

func requireDamage(t *testing.T, log *Log, file string, seq uint64) {
	t.Helper()
	var last error
	for rec, err := range log.Read(t.Context(), "run", 0) {
		if last = err; err == nil {
			require.Less(t, rec.Seq, seq)
		}
	}
	corrupt, ok := errors.AsType[*statelog.CorruptError](last)
	require.True(t, ok, "%v", last)
	require.True(t, strings.HasSuffix(corrupt.Path, file))
	require.Equal(t, seq, corrupt.Seq)
}

// FuzzCommit: whatever a commit says that matches its checksum, nothing panics
// and nothing half is read.
func FuzzCommit(f *testing.F) {
	entry := entry{kind: entryRecords, run: 1, first: 1, count: 1, payload: []byte{2, 0x13, 0}}
	f.Add(appendEntry(appendRun(nil, 1, "run"), &entry))
	f.Add(appendRemoved(appendRun(nil, 1, "run"), 1))
	entry.flags, entry.turns = withTurns|withSides, []byte{0, 2, 0x19, 0}
	entry.payload = []byte{0, 1, 1, 1, 2, 3, 4}
	f.Add(appendEntry(appendRun(nil, 1, "run"), &entry))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := header{salt: 5, number: 1, first: 1}
		content := h.appendHeader(nil)
		frame := append(make([]byte, frameHead), body...)
		h.salt.seal(frame, 1)
		requireReadable(t, append(content, frame...))
	})
}

// FuzzSegment: whatever a file says, nothing panics.
func FuzzSegment(f *testing.F) {
	for _, number := range []string{"1", "2", "3"} {
		f.Add(goldenSegment(f, number))
	}
	f.Fuzz(func(t *testing.T, content []byte) { requireReadable(t, content) })
}

func requireReadable(t *testing.T, content []byte) {
	t.Helper()
	d := newDisk()
	d.names[segmentName(1)] = &inode{
		name: segmentName(1), data: bytes.Clone(content), durable: content,
	}
	log, err := open(context.Background(), "/log", d, small)
	if err != nil {
		left := d.names[segmentName(1)].data
		require.Equal(t, content, left, "a log that is refused is left alone")
		return
	}
	for info, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.NoError(t, err)
		next := uint64(1)
		for rec, err := range log.Read(t.Context(), info.Run, 0) {
			if err == nil {
				require.Equal(t, next, rec.Seq)
				next++
			}
		}
		require.LessOrEqual(t, next, info.Seq+1)
	}
	require.NoError(t, log.Close())
}
