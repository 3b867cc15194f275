package filelog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// A misfortune is a log on a disk on which operations fail now and then.
type misfortune struct {
	log   *Log
	disk  *disk
	rand  *rand.Rand
	acked uint64 // records of run "long"
	maybe uint64 // more of them, of which nobody knows
}

func (m *misfortune) step(ctx context.Context, i int) {
	switch m.rand.IntN(10) {
	case 0:
		run := fmt.Sprint("run ", i)
		if end, err := m.log.Append(ctx, run, 0, intents(1+m.rand.IntN(30))); err == nil {
			recs := []statelog.Record{{Kind: statelog.Closed, Time: epoch, State: "completed"}}
			_, _ = m.log.Append(ctx, run, end, recs)
		}
	case 1:
		_, _ = m.log.Prune(ctx, everything)
	default:
		recs := intents(1 + m.rand.IntN(3))
		recs[len(recs)-1].Output = make([]byte, m.rand.IntN(150)) // ends in zeros
		end, err := m.log.Append(ctx, "long", m.acked, recs)
		switch {
		case err == nil:
			m.acked, m.maybe = end, 0
		case errors.Is(err, statelog.ErrAmbiguous):
			m.maybe = max(m.maybe, uint64(len(recs)))
		}
	}
}

// L3, L5: whatever fails, however often: after a crash the log can be opened, and has
// what it acknowledged, and nothing of which it said that it has it not.
func TestMisfortunes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 0))
		c := Config{SegmentSize: []int64{300, 2000, 100_000}[random.IntN(3)]}
		m := &misfortune{disk: newDisk(), rand: random}
		var err error
		m.log, err = open(t.Context(), "/log", m.disk, c)
		require.NoError(t, err)
		rate := []int{0, 5, 20, 60}[random.IntN(4)] // of 200
		m.disk.fault = func(string, string) (int, error) {
			if random.IntN(200) >= rate {
				return 0, nil
			}
			return random.IntN(200), []error{syscall.ENOSPC, syscall.EIO}[random.IntN(2)]
		}
		for i := range random.IntN(40) {
			m.step(t.Context(), i)
		}
		for range 4 {
			again, err := open(t.Context(), "/log", m.disk.crash(random), c)
			require.NoError(t, err, "seed %d", seed)
			var found uint64
			for _, err := range again.Read(t.Context(), "long", 0) {
				if found++; errors.Is(err, statelog.ErrNoRun) {
					found = 0
					break
				}
				require.NoError(t, err, "seed %d", seed)
			}
			require.GreaterOrEqual(t, found, m.acked, "seed %d", seed)
			require.LessOrEqual(t, found, m.acked+m.maybe, "seed %d", seed)
			require.NoError(t, again.Close())
		}
		m.disk.fault = nil
		require.NoError(t, m.log.Close())
	}
}
