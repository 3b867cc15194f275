package sqllog

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/daggy-go/daggy/statelog"
)

// Lock gives the run to the engine until release is called, for as long as its
// lease is renewed, which happens in the background. Leases end by the clock of
// the database.
func (l *Log) Lock(
	ctx context.Context, run, engine string,
) (release func() error, err error) {
	err = errors.Join(checkText("run", run), checkText("engine", engine))
	var give func() error
	if err == nil {
		give, err = l.leases.Lock(ctx, run, engine)
	}
	if err != nil {
		return nil, fmt.Errorf("sqllog: lock run %q: %w", run, err)
	}
	return sync.OnceValue(func() error {
		l.memory.forget(run)
		if err := give(); err != nil {
			return fmt.Errorf("sqllog: release run %q: %w", run, err)
		}
		return nil
	}), nil
}

// OnLost has f called once the engine's lock of the run could not be renewed for
// half of its lease, or somebody else has the run. If that has happened, f is
// called at once; if the engine never had the run, f is never called.
func (l *Log) OnLost(run, engine string, f func()) (stop func()) {
	return l.leases.OnLost(run, engine, f)
}

// locks are the leases in the table of a log.
type locks struct{ log *Log }

func (s locks) Take(ctx context.Context, run, engine string) error {
	return s.claim(ctx, s.log.sql.lock, run, engine)
}

func (s locks) Renew(ctx context.Context, run, engine string) error {
	return s.claim(ctx, s.log.sql.renew, run, engine)
}

// claim runs a statement that changes no row if the run is not the engine's.
func (s locks) claim(ctx context.Context, query, run, engine string) error {
	n, err := s.log.store.exec(ctx, query, run, engine, s.log.config.Lease.Milliseconds())
	if err == nil && n == 0 {
		err = statelog.ErrActive
	}
	return err
}

func (s locks) Give(ctx context.Context, run, engine string) error {
	_, err := s.log.store.exec(ctx, s.log.sql.unlock, run, engine)
	return err
}
