package redislog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// minLease is what is left to stop work in when a lease cannot be renewed, three
// times over.
const minLease = time.Second

// Lock gives the run to the engine for a lease by the server's clock, which is
// renewed until release. See [Config.Lease] and [Log.OnLost].
//
// The lock keeps engines from working on the same run by mistake. That no two of
// them append to it is kept by Append alone, whatever clocks and servers do.
func (l *Log) Lock(
	ctx context.Context, run, engine string,
) (release func() error, err error) {
	give, err := l.leases.Lock(ctx, run, engine)
	if err != nil {
		return nil, fmt.Errorf("redislog: lock run %q: %w", run, cause(ctx, err))
	}
	return func() error {
		if err := give(); err != nil {
			return fmt.Errorf("redislog: unlock run %q: %w", run, err)
		}
		return nil
	}, nil
}

// OnLost has f called when the engine's lock of the run could not be renewed for
// two thirds of its lease, so that a third is left to stop work in, or when the
// server has given it to another engine. f is called at once if that was so
// before, and never if the engine does not have the run.
func (l *Log) OnLost(run, engine string, f func()) (stop func()) {
	return l.leases.OnLost(run, engine, f)
}

// locks are the leases in the server of a log.
type locks struct {
	log   *Log
	id    string // of the log, whose engines are others than those of another log
	lease time.Duration
}

func (s locks) holder(engine string) string { return engine + "@" + s.id }

func (s locks) Take(ctx context.Context, run, engine string) error {
	answer, err := s.log.do(ctx, call{
		script: lockScript, keys: []string{s.log.keys.lock(run)},
		args: []any{s.holder(engine), s.lease.Milliseconds()},
	})
	switch {
	case err != nil:
		return err
	case text(answer, 0) != "ok":
		engine, _, _ := strings.Cut(text(answer, 1), "@")
		return fmt.Errorf("engine %q has it: %w", engine, statelog.ErrActive)
	}
	return nil
}

// Renew gives the lock back to a server that has lost it since.
func (s locks) Renew(ctx context.Context, run, engine string) error {
	return s.Take(ctx, run, engine)
}

func (s locks) Give(ctx context.Context, run, engine string) error {
	_, err := s.log.do(ctx, call{
		script: unlockScript, keys: []string{s.log.keys.lock(run)},
		args: []any{s.holder(engine)},
	})
	return err
}
