package slurm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// slowest is the longest time between two listings, or two submissions, while
// they fail: ten intervals, and no more than a minute unless the interval is.
func (e *Executor) slowest() time.Duration {
	return max(e.config.Interval, min(10*e.config.Interval, time.Minute))
}

// list lists the queue at intervals until ctx ends.
func (k *keeper) list(ctx context.Context) {
	interval := k.e.config.Interval
	wait := interval
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := k.listOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = min(2*wait, k.e.slowest())
			k.e.config.Logger.Warn("the queue cannot be listed", slog.Any("err", err))
		default:
			wait = interval
		}
		k.setDown(err)
		k.askAccounting(ctx)
		k.reports()
		timer.Reset(wait)
	}
}

func (k *keeper) setDown(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.downtime
	k.downtime = ""
	if err != nil {
		k.downtime = "Slurm does not say what is in its queue: " + err.Error()
	}
	if wasUp := was == ""; wasUp == (err == nil) {
		return
	}
	for _, it := range k.items {
		it.wake()
	}
	if err == nil && k.session != nil {
		// It is there again, so that submissions need not wait any longer.
		k.pause, k.failures = time.Time{}, 0
		poke(k.session.submit)
	}
}

// listOnce makes one listing and hands out what is in it.
func (k *keeper) listOnce(ctx context.Context) error {
	k.mu.Lock()
	k.begun++
	listing := k.begun
	users := k.users()
	needed := k.inQueue > 0
	k.mu.Unlock()
	if !needed {
		return nil
	}
	a, err := k.e.ask(ctx, "", "squeue", "--noheader", "--all", "--array", "--states=all",
		users, "--format="+evidence.QueueFormat)
	if err == nil {
		err = a.failure()
	}
	if err != nil {
		return err
	}
	k.hand(listing, a.Stdout)
	return nil
}

// failure returns what a command says if its exit code is not 0.
func (a *Answer) failure() error {
	if a.Exit == 0 {
		return nil
	}
	if words := evidence.Words(a.Stderr); words != "" {
		return errors.New(words)
	}
	return fmt.Errorf("exit %d", a.Exit)
}

// users has squeue list the jobs of all who run ours, with mu held. Who runs this
// process may have another number where the commands run, but for root, whom jobs of
// other users take.
func (k *keeper) users() string {
	var uids []string
	for _, it := range k.items {
		if it.store.uid < 0 {
			continue
		}
		if uid := strconv.Itoa(it.store.uid); !slices.Contains(uids, uid) {
			uids = append(uids, uid)
		}
	}
	if uids == nil {
		return "--me"
	}
	slices.Sort(uids)
	return "--user=" + strings.Join(append([]string{strconv.Itoa(os.Geteuid())}, uids...), ",")
}

// hand gives each item what a listing has of it.
func (k *keeper) hand(listing uint64, out []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	unread := evidence.Queue(out, func(name string, index int, j evidence.Job) {
		if it := k.names[jobName{name, index}]; it != nil {
			it.next = append(it.next, j)
		}
	})
	now := time.Now()
	for _, it := range k.items {
		if it.take(listing, unread == 0, now) {
			it.wake()
		}
	}
}

// reports looks for reports that nobody has told of, as on other machines: one
// listing of a directory, whatever the number of jobs.
func (k *keeper) reports() {
	k.mu.Lock()
	stores := map[*store]struct{}{}
	for _, it := range k.items {
		stores[it.store] = struct{}{}
	}
	k.mu.Unlock()
	for s := range stores {
		keys, err := s.reported()
		if err != nil {
			k.e.config.Logger.Warn("reports cannot be listed", slog.Any("err", err))
			continue
		}
		k.mu.Lock()
		for _, it := range k.items {
			if _, ok := keys[it.key]; ok && it.store == s {
				it.wake()
			}
		}
		k.mu.Unlock()
	}
}
