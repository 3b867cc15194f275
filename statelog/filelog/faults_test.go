package filelog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

var epoch = time.Date(2026, time.March, 1, 12, 30, 0, 0, time.UTC)

// A model is what a log must have, and may have.
type model struct {
	t   *testing.T
	log *Log
	// had has the acknowledged records of each run, as texts, and may those that
	// were appended last if it is not known whether they were added.
	had, may map[string][]string
	// gone may be there or not: its removal was not acknowledged.
	gone     map[string]bool
	failures int // of Append and Prune
	off      bool
}

func newModel(t *testing.T, log *Log) *model {
	t.Helper()
	return &model{
		t: t, log: log,
		had: map[string][]string{}, may: map[string][]string{}, gone: map[string]bool{},
	}
}

// record is the n-th of a run. Every seventh needs a file of its own.
func record(n int) statelog.Record {
	at := epoch.Add(time.Duration(n) * time.Second)
	rec := statelog.Record{Kind: statelog.Intent, Time: at, Task: n, Attempt: 1}
	switch {
	case n == 0:
		rec.Kind, rec.Engine = statelog.Opened, "e"
		rec.Opened = &statelog.Opening{Version: 1, Tags: map[string]string{"n": "0"}}
	case n%7 == 0:
		rec.Kind, rec.Output = statelog.Done, []byte(strings.Repeat("x", maxRecord))
	}
	return rec
}

func textOf(t *testing.T, rec statelog.Record) string {
	t.Helper()
	if len(rec.Output) > 0 {
		rec.Reason = fmt.Sprintf("%d bytes, %08x", len(rec.Output), salt(0).sum(rec.Output))
		rec.Output = nil
	}
	b, err := rec.AppendJSON(nil)
	require.NoError(t, err)
	return string(b)
}

// append appends count records to a run, or the record that closes it, and tries
// again once if it fails, having read what there is.
func (m *model) append(ctx context.Context, run string, count int) {
	m.t.Helper()
	for try := 0; try < 2 && !m.off; try++ {
		after := len(m.had[run])
		var recs []statelog.Record
		var added []string
		for i := range count {
			rec := record(after + i)
			recs = append(recs, rec)
			rec.Seq = uint64(after + i + 1)
			added = append(added, textOf(m.t, rec))
		}
		m.may[run] = added
		_, err := m.log.Append(ctx, run, uint64(after), recs)
		if err == nil {
			m.had[run] = append(m.had[run], added...)
			delete(m.may, run)
			return
		}
		m.failures++
		require.NotErrorIs(m.t, err, statelog.ErrFenced)
		if m.off = errors.Is(err, errPower); m.off {
			return // nobody is there to be told
		}
		if !errors.Is(err, statelog.ErrAmbiguous) {
			delete(m.may, run)
		}
		// Until the next Append succeeds the log is as it was.
		m.requireSame(m.log, false)
	}
}

func (m *model) close(ctx context.Context, run string) {
	m.t.Helper()
	if m.off {
		return
	}
	after := uint64(len(m.had[run]))
	rec := statelog.Record{Kind: statelog.Closed, Time: epoch, State: "completed"}
	recs := []statelog.Record{rec}
	rec.Seq = after + 1
	m.may[run] = []string{textOf(m.t, rec)}
	for try := 0; try < 2 && !m.off; try++ {
		_, err := m.log.Append(ctx, run, after, recs)
		if err == nil {
			m.had[run] = append(m.had[run], m.may[run]...)
			delete(m.may, run)
			return
		}
		m.failures++
		m.off = errors.Is(err, errPower)
	}
}

// prune removes the closed runs.
func (m *model) prune(ctx context.Context, closed ...string) {
	m.t.Helper()
	for _, run := range closed {
		m.gone[run] = !m.off
	}
	for try := 0; try < 2 && !m.off; try++ {
		_, err := m.log.Prune(ctx, statelog.Retention{Age: time.Nanosecond})
		if err == nil {
			for _, run := range closed {
				delete(m.gone, run)
				delete(m.had, run)
				delete(m.may, run)
			}
			return
		}
		m.failures++
		m.off = errors.Is(err, errPower)
	}
}

// requireSame holds a log against the model: acknowledged records are there,
// others as whole batches or not at all. maybe: those of which it is not known
// may be there.
func (m *model) requireSame(log *Log, maybe bool) {
	m.t.Helper()
	ids := map[string]bool{}
	for info, err := range log.Runs(m.t.Context(), statelog.Query{}) {
		require.NoError(m.t, err)
		ids[info.Run] = true
	}
	for _, run := range slices.Sorted(maps.Keys(m.had)) {
		if !ids[run] {
			require.True(m.t, m.gone[run], "run %q is lost", run)
			continue
		}
		got := read(m.t, log, run)
		want := m.had[run]
		if maybe && len(got) > len(want) {
			want = slices.Concat(want, m.may[run])
		}
		requireTexts(m.t, want, got, run)
		delete(ids, run)
	}
	for run := range ids {
		require.True(m.t, maybe && m.may[run] != nil, "run %q is there", run)
		require.Len(m.t, read(m.t, log, run), len(m.may[run]))
	}
}

// requireTexts shows the first difference only.
func requireTexts(t *testing.T, want, got []string, run string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			require.Equal(t, brief(want[i]), brief(got[i]), "record %d of run %q", i+1, run)
		}
	}
	if len(want) != len(got) {
		require.Failf(t, "not the records", "run %q has %d, should be %d", run, len(got), len(want))
	}
}

func brief(text string) string { return text[:min(len(text), 300)] }

func read(t *testing.T, log *Log, run string) []string {
	t.Helper()
	texts := []string{}
	for rec, err := range log.Read(t.Context(), run, 0) {
		require.NoError(t, err)
		texts = append(texts, textOf(t, rec))
	}
	return texts
}

// work does everything that writes: several segments, side files, runs that end,
// removal and compaction, and a log that is closed and opened again.
func (m *model) work(ctx context.Context) {
	for i := range 6 {
		m.append(ctx, "a", 1+i%3)
		m.append(ctx, "b", 2)
	}
	m.append(ctx, "long-lived", 9)
	m.close(ctx, "a")
	m.prune(ctx, "a")
	for range 4 {
		m.append(ctx, "b", 3)
	}
	m.append(ctx, "c", 1)
	m.close(ctx, "b")
	m.prune(ctx, "b")
	m.append(ctx, "c", 20)
}

var small = Config{SegmentSize: 400}

func openOn(t *testing.T, d *disk) *Log {
	t.Helper()
	log, err := open(t.Context(), "/log", d, small)
	require.NoError(t, err)
	return log
}

// workOn does the work on a disk with a fault and returns the model.
func workOn(t *testing.T, d *disk) *model {
	t.Helper()
	m := newModel(t, openOn(t, d))
	m.work(t.Context())
	return m
}

// operations is how many operations the work takes, by what they are.
func operations(t *testing.T) []string {
	t.Helper()
	d := newDisk()
	var ops []string
	d.fault = func(op, _ string) (int, error) {
		ops = append(ops, op)
		return 0, nil
	}
	m := workOn(t, d)
	require.Zero(t, m.failures)
	m.requireSame(m.log, false)
	require.NoError(t, m.log.Close())
	require.Equal(t, []string{"long-lived", "c"}, order(t, m.log, d))
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir", "remove"} {
		require.Contains(t, ops, op)
	}
	return ops
}

func order(t *testing.T, _ *Log, d *disk) []string {
	t.Helper()
	log := openOn(t, d)
	defer log.Close() //nolint:errcheck // checked elsewhere
	var ids []string
	for info, err := range log.Runs(t.Context(), statelog.Query{}) {
		require.NoError(t, err)
		ids = append(ids, info.Run)
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids
}

// L3, L5: whatever operation fails once, nothing that was acknowledged is lost,
// nothing is half there, and the log goes on.
func TestEveryOperationFailsOnce(t *testing.T) {
	t.Parallel()
	for n := range operations(t) {
		for _, short := range []int{0, 30, 1 << 30} {
			t.Run(fmt.Sprintf("operation %d, %d bytes", n+1, short), func(t *testing.T) {
				t.Parallel()
				d := newDisk()
				at := 0
				d.fault = func(op, _ string) (int, error) {
					if at++; at == n+1 {
						return short, fmt.Errorf("%s: %w", op, syscall.EIO)
					}
					return 0, nil
				}
				m := workOn(t, d)
				m.requireSame(m.log, true)
				for seed := range uint64(2) {
					m.requireSurvived(d.crash(rand.New(rand.NewPCG(seed, uint64(n)))))
				}
				_ = m.log.Close()
				m.requireSurvived(d.copy())
			})
		}
	}
}

// requireSurvived opens a disk that was found.
func (m *model) requireSurvived(found *disk) {
	m.t.Helper()
	log := openOn(m.t, found)
	m.requireSame(log, true)
	// It goes on from there.
	next := newModel(m.t, log)
	next.append(m.t.Context(), "next", 3)
	require.Zero(m.t, next.failures)
	require.NoError(m.t, log.Close())
	again := openOn(m.t, found)
	m.requireSame2(again, next)
	require.NoError(m.t, again.Close())
}

func (m *model) requireSame2(log *Log, next *model) {
	m.t.Helper()
	require.Equal(m.t, next.had["next"], read(m.t, log, "next"))
	for run := range m.had {
		if !m.gone[run] {
			require.GreaterOrEqual(m.t, len(read(m.t, log, run)), len(m.had[run]))
		}
	}
}

// L3, L5: whenever the power goes, what was acknowledged is there when it is
// back, and nothing is half there.
func TestPowerGoesAtEveryOperation(t *testing.T) {
	t.Parallel()
	for n := range operations(t) {
		t.Run(fmt.Sprintf("operation %d", n+1), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(4) {
				random := rand.New(rand.NewPCG(seed, uint64(n)))
				d := newDisk()
				at := 0
				d.fault = func(string, string) (int, error) {
					switch at++; {
					case at <= n:
						return 0, nil
					case at == n+1:
						return random.IntN(200), errPower
					default:
						return 0, errPower
					}
				}
				m := workOn(t, d)
				d.fault = nil
				m.requireSurvived(d.crash(random))
			}
		})
	}
}
