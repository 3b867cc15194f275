package sqllog_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// A run has many small batches, then some that are larger than a page, then small
// ones again. Every record of it is read, from wherever reading starts.
func batchesOfAllSizesAreRead(t *testing.T, d database) {
	t.Helper()
	t.Parallel()
	const small, large, size = 1100, 5, 3 << 20
	log := newLog(t, d.open(t), sqllog.Config{Dialect: d.dialect})
	end := uint64(0)
	for range small {
		end = mustAppend(t, log, "run", end, attempts(1))
	}
	output := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for range large {
		recs := attempts(2)
		recs[1].Output = output
		end = mustAppend(t, log, "run", end, recs)
	}
	end = mustAppend(t, log, "run", end, attempts(2))
	require.Equal(t, uint64(small+2*large+2), end)
	for _, after := range []uint64{0, 1, small - 1, small, small + 1, end - 1} {
		next := after
		for rec, err := range log.Read(t.Context(), "run", after) {
			require.NoError(t, err)
			next++
			require.Equal(t, next, rec.Seq)
			if rec.Output != nil {
				require.True(t, bytes.Equal(output, rec.Output), "record %d", rec.Seq)
				require.Equal(t, statelog.Done, rec.Kind)
			}
		}
		require.Equal(t, end, next, "after %d", after)
	}
}
