package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// A forgetter tells a durable executor what it may forget: what the journal has the
// outcome of.
type forgetter struct {
	wake chan struct{} // has room for one

	mu   sync.Mutex // guards owed
	owed map[string]struct{}
}

// mayForget notes keys whose outcome is on the disk.
func (a *Agent) mayForget(keys []string) {
	if a.durable == nil || len(keys) == 0 {
		return
	}
	f := &a.forgetter
	f.mu.Lock()
	if f.owed == nil {
		f.owed = make(map[string]struct{}, len(keys))
	}
	for _, key := range keys {
		f.owed[key] = struct{}{}
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// forget is the goroutine that tells. What it does not get to is told by the daemon
// after this one.
func (a *Agent) forget() {
	const longest = time.Minute
	const company = 100 * time.Millisecond // what is over meanwhile is told together
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	pause := time.Duration(0)
	for {
		var again <-chan time.Time
		if pause > 0 {
			again = time.After(pause)
		}
		select {
		case <-a.forgetter.wake:
		case <-again:
		case <-a.ending:
			return
		}
		select {
		case <-time.After(company):
		case <-a.ending:
			return
		}
		if err := a.forgetOwed(ctx); err != nil {
			a.logger.Warn("the executor cannot forget what is over", slog.Any("err", err))
			pause = min(max(time.Second, 2*pause), longest)
			continue
		}
		pause = 0
	}
}

func (a *Agent) forgetOwed(ctx context.Context) error {
	f := &a.forgetter
	keys := f.keys()
	if len(keys) == 0 {
		return nil
	}
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := a.durable.Forget(ctx, keys...); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keys {
		delete(f.owed, key)
	}
	return nil
}

// keys are those that are not told yet.
func (f *forgetter) keys() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sortedKeys(f.owed)
}
