package filelog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// A process that was killed while it started a command may have its lock for a
// moment longer: the command has it too until it is executed. lockPatience is for
// how long that is waited for.
const (
	lockPatience = 2 * time.Second
	lockPause    = 10 * time.Millisecond
)

// lock takes the lock of the directory.
func lock(ctx context.Context, fs fileSystem) (io.Closer, error) {
	for since := time.Now(); ; {
		l, err := fs.Lock()
		if !errors.Is(err, errLocked) || time.Since(since) > lockPatience {
			return l, err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// A lockHolder is the engine that has a run.
type lockHolder struct{ engine string }

// Lock gives the run to the engine until release is called or the log is closed.
// It fails with ErrActive while another engine has it. Only engines of this
// process ask: the directory is open in no other.
func (l *Log) Lock(_ context.Context, run, engine string) (release func() error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	if other := l.locks[run]; other != nil {
		return nil, fmt.Errorf("filelog: engine %s has run %q: %w",
			other.engine, run, statelog.ErrActive)
	}
	holder := &lockHolder{engine: engine}
	l.locks[run] = holder
	return func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.locks[run] == holder {
			delete(l.locks, run)
		}
		return nil
	}, nil
}
