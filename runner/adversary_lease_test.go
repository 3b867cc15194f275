package runner_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

func coresOf(n int64) *capacity.Allocator {
	return capacity.New(capacity.Node{Name: "n", Total: capacity.Resources{dag.Cores: n}})
}

func asking(name string, cores int64, parents ...string) dag.Task {
	t := task(name, parents...)
	t.Job.Resources = dag.Resources{dag.Cores: cores}
	return t
}

// However an attempt ends that could not be started, its lease is given back.
func TestLeaseOfAttemptThatWasNotStarted(t *testing.T) { // E4, E8, I10
	t.Parallel()
	not := &executor.NotStartedError{RetryAfter: time.Hour, Err: errors.New("queue full")}
	ctx := context.Background()
	end := map[string]func(h *runner.Handle) error{
		"kill":   func(h *runner.Handle) error { return h.Kill(ctx, "a") },
		"abort":  func(h *runner.Handle) error { return h.Abort(ctx, "") },
		"stop":   func(h *runner.Handle) error { return h.Stop(ctx) },
		"detach": func(h *runner.Handle) error { return h.Detach(ctx) },
	}
	for name, stop := range end {
		for _, waits := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s while it waits, waits=%v", name, waits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ex := &recorder{slots: coresOf(1)}
					ex.do = func(context.Context, *attempt) (result, error) { return result{}, not }
					r := &runner.Runner{Executor: ex, Log: newWitness(waits, nil)}
					h, err := r.Start(t.Context(), tasks(task("a")))
					require.NoError(t, err)
					synctest.Wait()
					require.Equal(t, 1, ex.slots.Nodes()[0].Leases)
					start := time.Now()
					require.NoError(t, stop(h))
					_, err = h.Wait(t.Context())
					require.Error(t, err)
					require.Zero(t, ex.slots.Nodes()[0].Leases)
					require.Zero(t, time.Since(start), "it waits for what will not be")
				})
			})
			t.Run(fmt.Sprintf("%s while it runs, waits=%v", name, waits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ex := &recorder{slots: coresOf(1)}
					ex.do = func(ctx context.Context, _ *attempt) (result, error) {
						<-ctx.Done()
						return result{}, not
					}
					r := &runner.Runner{Executor: ex, Log: newWitness(waits, nil)}
					h, err := r.Start(t.Context(), tasks(task("a")))
					require.NoError(t, err)
					synctest.Wait()
					require.NoError(t, stop(h))
					_, err = h.Wait(t.Context())
					require.Error(t, err)
					require.Zero(t, ex.slots.Nodes()[0].Leases)
				})
			})
		}
	}
}

// A splice takes back attempts that no executor has, with their leases.
func TestLeasesOfWithdrawnAttempts(t *testing.T) { // D8, E8
	t.Parallel()
	for _, waits := range []bool{false, true} {
		for _, child := range []string{"not started", "waits for room"} {
			t.Run(fmt.Sprintf("%s waits=%v", child, waits), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					slots := coresOf(2)
					ex := &recorder{slots: slots}
					tries := 0
					ex.do = func(_ context.Context, a *attempt) (result, error) {
						switch a.Task {
						case "gen":
							<-time.After(time.Minute)
							_, err := fmt.Fprint(a.Stdout,
								`{"made": {"command": ["x"], "children": ["child"]}}`)
							return result{}, err
						case "child":
							if tries++; tries == 1 {
								return result{}, &executor.NotStartedError{
									RetryAfter: time.Hour, Err: errors.New("full"),
								}
							}
						}
						return result{}, nil
					}
					d := tasks(asking("gen", 2), asking("child", 2))
					if child == "not started" {
						d.Tasks[0].Job.Resources = dag.Resources{dag.Cores: 1}
						d.Tasks[1].Job.Resources = dag.Resources{dag.Cores: 1}
					} else {
						tries = 1
					}
					d.Tasks[0].Generator = true
					r := &runner.Runner{Executor: ex, Log: newWitness(waits, nil)}
					_, err := r.Run(t.Context(), d)
					require.NoError(t, err)
					order := ex.order()
					if child == "not started" { // else it may start just before the splice
						require.Equal(t, []string{"made", "child"}, order[len(order)-2:])
					}
					require.Zero(t, slots.Nodes()[0].Leases)
				})
			})
		}
	}
}

// Runs that share an allocator do not starve each other, and one that ends or
// does not want any more leaves the line.
func TestRunsShareAnAllocator(t *testing.T) { // C3, E8
	t.Parallel()
	slots := coresOf(4)
	ex := &recorder{slots: slots}
	r := &runner.Runner{Executor: ex}
	var wg sync.WaitGroup
	for run := range 6 {
		wg.Go(func() {
			d := tasks()
			for i := range 60 {
				d.Tasks = append(d.Tasks, asking(fmt.Sprintf("t%d", i), 1+int64((i+run)%4)))
			}
			if _, err := r.Run(t.Context(), d); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	n := slots.Nodes()[0]
	require.Zero(t, n.Leases)
	require.Nil(t, n.Reserved)
}

// What stands in line for a task that will not start any more must not keep
// room from others.
func TestLineIsLeft(t *testing.T) { // C3, R10
	t.Parallel()
	ctx := context.Background()
	for name, give := range map[string]func(h *runner.Handle) error{
		"kill":  func(h *runner.Handle) error { return h.Kill(ctx, "big") },
		"hold":  func(h *runner.Handle) error { return h.Hold(ctx, "big") },
		"pause": func(h *runner.Handle) error { return h.Pause(ctx) },
		"stop":  func(h *runner.Handle) error { return h.Stop(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				slots := coresOf(4)
				release := make(chan struct{})
				long := &recorder{slots: slots}
				long.do = func(ctx context.Context, _ *attempt) (result, error) {
					select {
					case <-release:
					case <-ctx.Done():
					}
					return result{}, nil
				}
				// Half of the node is taken for long, and "big" wants all of it.
				first, err := (&runner.Runner{Executor: long}).Start(ctx, tasks(asking("long", 2)))
				require.NoError(t, err)
				quick := &recorder{slots: slots}
				r := &runner.Runner{Executor: quick}
				later := dag.Task{Name: "later", NotBefore: time.Now().Add(time.Hour)}
				big, err := r.Start(ctx, tasks(asking("big", 4), later))
				require.NoError(t, err)
				synctest.Wait()
				// Others overtake it until a node is reserved.
				d := tasks()
				for i := range 2 * capacity.MaxOvertaken {
					d.Tasks = append(d.Tasks, asking(fmt.Sprint("t", i), 1))
				}
				others, err := r.Start(ctx, d)
				require.NoError(t, err)
				synctest.Wait()
				require.Equal(t, runner.RunRunning, others.Snapshot().State)
				require.NotNil(t, slots.Nodes()[0].Reserved)
				require.NoError(t, give(big))
				synctest.Wait()
				require.Equal(t, runner.RunCompleted, others.Snapshot().State)
				close(release)
				_, err = first.Wait(ctx)
				require.NoError(t, err)
				_ = big.Abort(ctx, "")
				_, _ = big.Wait(ctx)
			})
		})
	}
}
