package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/daggy-go/daggy/executor/remote/agent/internal/keeper"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A keeping has leases end although the daemon is dead, or stands still. It is there if
// the executor is the default one and outlives the daemon: for others nobody knows
// how to stop what they run.
type keeping struct {
	wanted bool
	// keeper is nil while there is none. Guarded by Agent.mu, but nothing is waited
	// for under it.
	keeper *keeper.Keeper
}

// keepPause is how long a keeper that could not be started is waited for.
const keepPause = time.Second

// startKeeping starts the first keeper. It is told of all leases that are open before
// it is in charge.
func (a *Agent) startKeeping() error {
	if !a.keeping.wanted {
		return nil
	}
	err := a.newKeeper()
	if errors.Is(err, errors.ErrUnsupported) {
		a.keeping.wanted = false
		return nil
	}
	if err != nil {
		return fmt.Errorf("agent: leases cannot be kept: %w", err)
	}
	a.running.Go(a.keepKeeping)
	return nil
}

// keepKeeping is the goroutine that sees to it that there is a keeper.
func (a *Agent) keepKeeping() {
	for {
		a.mu.Lock()
		k := a.keeping.keeper
		a.mu.Unlock()
		if k != nil {
			gone := make(chan error, 1)
			a.running.Go(func() { gone <- k.Wait() })
			select {
			case <-a.ending:
				k.Close()
				return
			case err := <-gone:
				a.logger.Warn("the keeper of leases is gone, another is started",
					slog.Any("err", err))
			}
			a.mu.Lock()
			a.keeping.keeper = nil
			a.mu.Unlock()
			k.Close()
		}
		err := a.newKeeper()
		if err == nil {
			continue
		}
		a.logger.Error("leases cannot be kept: nothing new starts that has one",
			slog.Any("err", err))
		select {
		case <-a.ending:
			return
		case <-time.After(keepPause):
		}
	}
}

// newKeeper starts a keeper, tells it everything, and puts it in charge.
func (a *Agent) newKeeper() error {
	k, err := keeper.Start(a.dir, a.config.Grace)
	if err != nil {
		return err
	}
	a.mu.Lock()
	for _, s := range a.sessions {
		if s.contact > 0 {
			k.Hear(s.id, s.contact)
		}
	}
	for _, at := range a.attempts {
		if at.open() && at.lease > 0 {
			k.Watch(at.key, at.session.id, at.lease, at.contact)
		}
	}
	a.keeping.keeper = k
	a.mu.Unlock()
	if err = k.Sync(); err == nil {
		err = k.TakeOver(a.dir)
	}
	if err != nil {
		a.mu.Lock()
		a.keeping.keeper = nil
		a.mu.Unlock()
		k.Close()
	}
	return err
}

// watched has a lease kept. a.mu is held.
func (a *Agent) watched(at *attempt) {
	if k := a.keeping.keeper; k != nil && at.lease > 0 && at.open() {
		k.Watch(at.key, at.session.id, at.lease, at.contact)
	}
}

// unwatched is for one that is over. a.mu is held.
func (a *Agent) unwatched(at *attempt) {
	if k := a.keeping.keeper; k != nil && at.lease > 0 {
		k.Done(at.key)
	}
}

// heard has the leases of a session renewed. a.mu is held.
func (a *Agent) heard(s *session) {
	// The keeper acts a second after the end of a lease; it need not know better.
	const fine = keeper.Slack / 4
	k := a.keeping.keeper
	if k == nil || s.contact-s.told < fine {
		return
	}
	s.told = s.contact
	k.Hear(s.id, s.contact)
}

// unkept is why a lease would not be kept, if that is so. a.mu is held.
func (a *Agent) unkept(lease time.Duration) verdict {
	if lease <= 0 || !a.keeping.wanted {
		return verdict{}
	}
	if k := a.keeping.keeper; k != nil && k.Alive() {
		return verdict{}
	}
	return refusedFor(http.StatusServiceUnavailable, wire.CodeJournal,
		"leases cannot be kept for now, so nothing new starts that has one", keepPause)
}

// syncLeases waits until the leases of claims are kept. With an error none of them may
// start.
func (a *Agent) syncLeases(claims []*attempt) error {
	if !a.keeping.wanted {
		return nil
	}
	leased := false
	for _, at := range claims {
		leased = leased || at.lease > 0
	}
	if !leased {
		return nil
	}
	a.mu.Lock()
	k := a.keeping.keeper
	a.mu.Unlock()
	if k == nil {
		return errNoKeeper
	}
	return k.Sync()
}

var errNoKeeper = errors.New("agent: the keeper of leases is gone")
