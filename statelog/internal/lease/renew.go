package lease

import (
	"context"
	"errors"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

const (
	// renewals is how often a lease is renewed in its term.
	renewals = 6
	// retries is how often it is tried in a term while that fails.
	retries = 20
)

// A renewal is one that has come back.
type renewal struct {
	asked time.Time
	err   error
}

// renew keeps the lease until ctx ends or it is lost. asked is when the store was
// asked for it: it began then or later.
//
// A store that does not answer, whatever its contexts say, does not keep it from
// seeing that time is up.
func (k *Keeper) renew(ctx context.Context, le *lease, asked time.Time) {
	up := time.NewTimer(time.Until(asked.Add(k.lostAfter)))
	defer up.Stop()
	next := time.NewTimer(k.term / renewals)
	defer next.Stop()
	ctx, cancel := context.WithCancel(ctx)
	var answer <-chan renewal // nil: nothing was asked
	defer func() {
		cancel()
		if answer != nil {
			<-answer
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-up.C:
			le.lose()
			return
		case <-next.C:
			answer = k.ask(ctx, le)
		case r := <-answer:
			answer = nil
			switch {
			case errors.Is(r.err, statelog.ErrActive):
				le.lose()
				return
			case r.err == nil:
				up.Reset(time.Until(r.asked.Add(k.lostAfter)))
				next.Reset(k.term / renewals)
			default:
				next.Reset(k.term / retries)
			}
		}
	}
}

// ask has the store renew the lease.
func (k *Keeper) ask(ctx context.Context, le *lease) <-chan renewal {
	answer := make(chan renewal, 1)
	go func() {
		asked := time.Now()
		answer <- renewal{asked, k.store.Renew(ctx, le.run, le.engine)}
	}()
	return answer
}
