package statelogtest

import (
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/statelog"
)

func runsDoNotMix(s *suite) {
	const runs, batches = 8, 50
	group, ctx := errgroup.WithContext(s.Context())
	for r := range runs {
		group.Go(func() error {
			run := fmt.Sprintf("run %d", r)
			for i := range uint64(batches) {
				recs := []statelog.Record{numbered(1000 * r), numbered(1000*r + int(i))}
				if _, err := s.log.Append(ctx, run, 2*i, recs); err != nil {
					return fmt.Errorf("%s after %d: %w", run, 2*i, err)
				}
			}
			return nil
		})
	}
	require.NoError(s, group.Wait())
	for r := range runs {
		recs := s.read(fmt.Sprintf("run %d", r), 0)
		require.Len(s, recs, 2*batches)
		for i, rec := range recs {
			require.Equal(s, uint64(i+1), rec.Seq, "run %d", r)
			require.Equal(s, 1000*r+i%2*(i/2), rec.Task, "run %d, record %d", r, rec.Seq)
		}
	}
}

func readWhileAppending(s *suite) {
	const batches = 200
	s.append("run", 0, opening(epoch))
	appended := make(chan error, 1)
	go func() {
		for i := range uint64(batches) {
			recs := []statelog.Record{numbered(int(2*i + 1)), numbered(int(2*i + 2))}
			if _, err := s.log.Append(s.Context(), "run", 2*i+1, recs); err != nil {
				appended <- err
				return
			}
		}
		appended <- nil
	}()
	seen, over := 0, false
	for !over {
		select {
		case err := <-appended:
			require.NoError(s, err)
			over = true
		default:
		}
		recs := s.read("run", 0)
		require.GreaterOrEqual(s, len(recs), seen, "records went away")
		require.Equal(s, 1, len(recs)%2, "half a batch can be read")
		for i, rec := range recs {
			require.Equal(s, uint64(i+1), rec.Seq)
			require.Equal(s, i, rec.Task)
		}
		seen = len(recs)
	}
	require.Equal(s, 1+2*batches, seen, "records when all were appended")
}

// twoEngines lets engines go on from the same record again and again.
func twoEngines(s *suite) {
	const engines, rounds = 4, 50
	after := s.append("run", 0, opening(epoch))
	var want []int
	for round := range rounds {
		winner := make(chan int, engines)
		group, ctx := errgroup.WithContext(s.Context())
		for e := range engines {
			group.Go(func() error {
				rec := numbered(round*engines + e + 1)
				_, err := s.log.Append(ctx, "run", after, []statelog.Record{rec})
				switch {
				case err == nil:
					winner <- rec.Task
				case !errors.Is(err, statelog.ErrFenced):
					return err
				}
				return nil
			})
		}
		require.NoError(s, group.Wait())
		require.Len(s, winner, 1, "engines that went on from record %d", after)
		want = append(want, <-winner)
		after++
	}
	var got []int
	for _, rec := range s.read("run", 1) {
		got = append(got, rec.Task)
	}
	require.Equal(s, want, got, "what the winners appended")
}

// oneEngine is for logs that are a Locker; the others leave it to the fencing.
func oneEngine(s *suite) {
	locker, ok := statelog.As[statelog.Locker](s.log)
	if !ok {
		s.Logf("the log is no Locker: two engines find out when they append (L3)")
		return
	}
	ctx := s.Context()
	release, err := locker.Lock(ctx, "run", "first")
	require.NoError(s, err)
	_, err = locker.Lock(ctx, "run", "second")
	require.ErrorIs(s, err, statelog.ErrActive)
	other, err := locker.Lock(ctx, "other run", "second")
	require.NoError(s, err, "runs are locked one by one")
	require.NoError(s, release())
	require.NoError(s, release(), "release may be called more than once")

	second, err := locker.Lock(ctx, "run", "second")
	require.NoError(s, err, "the first engine let go of the run")
	require.NoError(s, release(), "release by who has the run no more")
	_, err = locker.Lock(ctx, "run", "third")
	require.ErrorIs(s, err, statelog.ErrActive, "release by who has the run no more")
	require.NoError(s, second())
	require.NoError(s, other())
}
