package statelog

import (
	"context"
	"time"
)

// A Retention says which closed runs a log keeps. Runs that are not closed are
// always kept. The zero Retention keeps all of them.
type Retention struct {
	// Age is how long a run is kept after it closed. 0: for ever.
	Age time.Duration
	// Count is how many closed runs are kept, those that closed last. 0: any
	// number.
	Count int
}

// A Pruner is a log that can forget runs. Optional; find it with [As].
type Pruner interface {
	// Prune removes the closed runs that keep does not keep, and returns how
	// many. A run that is reopened meanwhile stays whole. Asking for one that
	// was removed is ErrNoRun.
	Prune(ctx context.Context, keep Retention) (removed int, err error)
}
