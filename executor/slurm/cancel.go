package slurm

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// maxCancel is how many jobs one scancel is given.
const maxCancel = 500

// A cancellation is a job to be cancelled, or to be asked to stop.
type cancellation struct {
	id   string
	ask  bool // SIGTERM to its script alone
	done func(err error)
}

// scancel has a job cancelled, or asked to stop. Done is called once scancel has
// answered, from another goroutine.
func (k *keeper) scancel(id string, ask bool, done func(err error)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancels = append(k.cancels, &cancellation{id, ask, done})
	if k.session != nil {
		poke(k.session.scancel)
	}
}

// cancellations runs scancel until ctx ends, one at a time: what comes in the
// meantime goes together into the next.
func (k *keeper) cancellations(ctx context.Context, kick <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			// Nobody waits any more, but the IDs may be another's before somebody does.
			last, cancel := outliving(ctx)
			defer cancel()
			k.cancelAll(last, false)
			return
		case <-kick:
			// A run that ends cancels many jobs, each from a goroutine of its own.
			timer.Reset(20 * time.Millisecond)
			continue
		case <-timer.C:
		}
		for _, ask := range []bool{false, true} {
			k.cancelAll(ctx, ask)
		}
	}
}

func (k *keeper) cancelAll(ctx context.Context, ask bool) {
	for ctx.Err() == nil && k.cancelSome(ctx, ask) {
		continue
	}
}

// cancelSome runs one scancel, if there is anything to cancel.
func (k *keeper) cancelSome(ctx context.Context, ask bool) bool {
	k.mu.Lock()
	var some, rest []*cancellation
	for _, c := range k.cancels {
		if c.ask == ask && len(some) < maxCancel {
			some = append(some, c)
		} else {
			rest = append(rest, c)
		}
	}
	k.cancels = rest
	k.mu.Unlock()
	if some == nil {
		return false
	}
	argv := []string{"scancel"}
	var ids []string
	for _, c := range some {
		ids = append(ids, c.id)
	}
	if ask {
		argv = append(argv, "--batch", "--signal=TERM")
		argv = append(argv, ids...)
	} else {
		argv = append(argv, "--quiet")
		argv = append(argv, evidence.Together(ids)...)
	}
	a, err := k.e.ask(ctx, "", argv...)
	if err == nil {
		err = a.failure()
	}
	if err != nil {
		k.e.config.Logger.Warn("jobs cannot be cancelled", slog.Any("err", err))
	}
	for _, c := range some {
		c.done(err)
	}
	return true
}

// duplicates are jobs in the queue that would do nothing, since another has the
// key.
func duplicates(p picture, claim evidence.Claim) []string {
	ids := map[string]bool{}
	for _, j := range p.jobs {
		if j.ID != claim.ID && evidence.Lookup(j.State).Phase == evidence.Waiting {
			ids[j.ID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// oneLine is for texts that become part of another.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
