package statelogtest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/memlog"
)

// tasks returns the tasks of the records of a run.
func tasks(t *testing.T, log statelog.StateLogger, run string) []int {
	t.Helper()
	var found []int
	for rec, err := range log.Read(t.Context(), run, 0) {
		require.NoError(t, err)
		found = append(found, rec.Task)
	}
	return found
}

func TestFaulty(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	ambiguous, fenced := statelog.ErrAmbiguous, statelog.ErrFenced
	for _, tc := range []struct {
		name  string
		on    func(context.Context, Append) Fault
		err   error // of the second Append
		tasks []int // then
		next  error // of an Append that goes on from what was known
	}{
		{"no fault", nil, nil, []int{1, 2}, nil},
		{"fault later", At(3, Fault{Err: down}), nil, []int{1, 2}, down},
		{"refused once", At(2, Fault{Err: down}), down, []int{1}, nil},
		{"refused from then on", From(2, Fault{Err: down}), down, []int{1}, down},
		{"answer lost", At(2, Ambiguous(true)), ambiguous, []int{1, 2}, fenced},
		{"append lost", At(2, Ambiguous(false)), ambiguous, []int{1}, nil},
		{"fenced", At(2, Fault{Fenced: true}), fenced, []int{1, 0}, fenced},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			log := &Faulty{Log: memlog.New(), OnAppend: tc.on}
			known, err := log.Append(t.Context(), "run", 0, []statelog.Record{numbered(1)})
			require.NoError(t, err)

			end, err := log.Append(t.Context(), "run", known, []statelog.Record{numbered(2)})
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, tc.tasks, tasks(t, log, "run"))
			if err == nil {
				known = end
			}
			_, err = log.Append(t.Context(), "run", known, []statelog.Record{numbered(3)})
			require.ErrorIs(t, err, tc.next)
			require.Equal(t, 3, log.Appends())
		})
	}
}

func TestFaultyOpening(t *testing.T) {
	t.Parallel()
	log := &Faulty{Log: memlog.New(), OnAppend: At(1, Fault{Fenced: true})}
	_, err := log.Append(t.Context(), "run", 0, []statelog.Record{opening(epoch), numbered(1)})
	require.ErrorIs(t, err, statelog.ErrFenced)
	recs := newSuite(&recorder{ctx: t.Context()}, log, Config{}).read("run", 0)
	require.Len(t, recs, 1)
	require.Equal(t, statelog.Opened, recs[0].Kind)
	require.Equal(t, "another engine", recs[0].Engine)
}

func TestFaultyTellsWhatIsAppended(t *testing.T) {
	t.Parallel()
	var seen []Append
	log := &Faulty{Log: memlog.New(), OnAppend: func(_ context.Context, a Append) Fault {
		seen = append(seen, a)
		return Fault{}
	}}
	recs := []statelog.Record{opening(epoch), numbered(1)}
	_, err := log.Append(t.Context(), "a", 0, recs[:1])
	require.NoError(t, err)
	_, err = log.Append(t.Context(), "a", 1, recs[1:])
	require.NoError(t, err)
	require.Len(t, seen, 2)
	require.Equal(t, 1, seen[0].N)
	require.Equal(t, Append{N: 2, Run: "a", After: 1, Records: recs[1:]}, seen[1])
}

func TestFaultyRead(t *testing.T) {
	t.Parallel()
	down := errors.New("the store is down")
	log := &Faulty{Log: memlog.New(), OnRead: func(_ context.Context, run string, _ uint64) error {
		if run == "bad" {
			return down
		}
		return nil
	}}
	for _, run := range []string{"good", "bad"} {
		_, err := log.Append(t.Context(), run, 0, []statelog.Record{numbered(1)})
		require.NoError(t, err)
	}
	require.Equal(t, []int{1}, tasks(t, log, "good"))
	yielded := 0
	for _, err := range log.Read(t.Context(), "bad", 0) {
		yielded++
		require.ErrorIs(t, err, down)
	}
	require.Equal(t, 1, yielded)
}

func TestFaultyAbilities(t *testing.T) {
	t.Parallel()
	require.True(t, (&Faulty{Log: memlog.New()}).Immediate())
	require.False(t, (&Faulty{Log: memlog.New(), Waits: true}).Immediate())
	require.False(t, (&Faulty{Log: slow{memlog.New()}}).Immediate())
	_, ok := statelog.As[statelog.Locker](&Faulty{Log: &locking{Log: memlog.New()}})
	require.True(t, ok)
}

// slow is a log that has no more abilities than it must.
type slow struct{ statelog.StateLogger }
