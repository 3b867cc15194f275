package filelog

import (
	"bytes"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// A segment has room for what is to come while it is written to, and none when it
// is full or the log is closed.
func TestRoom(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log, err := open(t.Context(), "/log", d, Config{SegmentSize: 3 * roomSize})
	require.NoError(t, err)
	size := func(name string) int64 { return int64(len(d.names[name].data)) }
	after := appendTo(t, log, "run", 0, 1)
	require.Equal(t, log.current.end+roomSize, size(segmentName(1)))
	var writes int
	d.fault = func(op, _ string) (int, error) {
		if op == "write" {
			writes++
		}
		return 0, nil
	}
	for range 100 {
		after = appendTo(t, log, "run", after, 1)
	}
	require.Equal(t, 100, writes)
	for len(log.segments) == 1 {
		require.LessOrEqual(t, size(segmentName(1)), int64(3*roomSize))
		after = appendTo(t, log, "run", after, 500)
	}
	require.Equal(t, log.segments[0].end, size(segmentName(1)))
	unclosed := d.copy()
	require.NoError(t, log.Close())
	require.Equal(t, log.current.end, size(segmentName(2)))

	again := openOn(t, unclosed)
	require.Len(t, read(t, again, "run"), int(after))
	require.Nil(t, again.Found().Torn)
	require.Equal(t, again.current.end, int64(len(unclosed.names[segmentName(2)].data)))
	require.NoError(t, again.Close())
}

// L5: whatever is in the room when the machine has gone down is what is left of a
// commit that was not acknowledged. It is cut off, which is said.
func TestRoomThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	after := appendTo(t, log, "run", 0, 1)
	end := int(log.current.end)
	whole := len(d.names[segmentName(1)].data)
	require.Greater(t, whole, end)
	for at := end; at < whole; at++ {
		found := d.copy()
		found.names[segmentName(1)].data[at] = 1
		again := openOn(t, found)
		require.Len(t, read(t, again, "run"), int(after))
		require.Equal(t, int64(whole-end), again.Found().Torn.Bytes, "byte %d", at)
		require.NoError(t, again.Close())
	}
	require.NoError(t, log.Close())
}

// L5: zeros where a commit was do not pass for room if another commit follows.
func TestZerosInTheMiddle(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log := openOn(t, d)
	after := appendTo(t, log, "run", 0, 1)
	from := log.current.end
	after = appendTo(t, log, "run", after, 1)
	to := log.current.end
	appendTo(t, log, "run", after, 1)
	found := d.copy()
	require.NoError(t, log.Close())
	clear(found.names[segmentName(1)].data[from:to])
	_, err := open(t.Context(), "/log", found, small)
	require.ErrorContains(t, err, "another follows")
}

// No room is no reason to fail, and what is written without it survives.
func TestNoSpaceForRoom(t *testing.T) {
	t.Parallel()
	d := newDisk()
	d.fault = func(op, name string) (int, error) {
		node := d.names[name]
		if op == "write" && node != nil && bytes.HasPrefix(node.data, []byte(segmentMagic)) {
			return 5, syscall.ENOSPC
		}
		return 0, nil
	}
	log := openOn(t, d)
	after := appendTo(t, log, "run", 0, 1)
	require.Equal(t, log.current.end+5, log.current.size)
	d.fault = nil
	after = appendTo(t, log, "run", after, 3)
	for seed := range uint64(5) {
		requireRun(t, d.crash(rand.New(rand.NewPCG(seed, 0))), int(after), "seed %d", seed)
	}
	require.NoError(t, log.Close())
}

// L5: zeros that could not be written are in the room all the same. The commit may
// be whole then, so it is void here and goes elsewhere.
func TestZerosThatWereNotWritten(t *testing.T) {
	t.Parallel()
	d := newDisk()
	log, err := open(t.Context(), "/log", d, Config{})
	require.NoError(t, err)
	recs := []statelog.Record{{Kind: statelog.Done, Output: make([]byte, 100)}}
	after := appendTo(t, log, "run", 0, 1)
	before := log.current.end
	after, err = log.Append(t.Context(), "run", after, recs)
	require.NoError(t, err)
	size := log.current.end - before
	d.fault = func(op, name string) (int, error) {
		if op == "write" && name == segmentName(1) {
			return int(size) - 100, syscall.EIO
		}
		return 0, nil
	}
	if end, err := log.Append(t.Context(), "run", after, recs); err == nil {
		after = end
	}
	for seed := range uint64(500) {
		requireRun(t, d.crash(rand.New(rand.NewPCG(seed, 0))), int(after), "seed %d", seed)
	}
	require.NoError(t, log.Close())
}
