package capacity

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/dag"
)

// Resources are amounts by name. Units are the asker's: [dag.Cores] are whole
// cores and [dag.MemoryMB] are mebibytes, all other names mean what their users
// agree on.
type Resources = dag.Resources

// MaxAmount is the most that a node can have of one resource. Larger totals
// are taken for this one, so that no sum of amounts can overflow.
const MaxAmount = 1 << 53

// ErrNegative is the cause when a negative amount is asked for.
var ErrNegative = errors.New("negative amount")

// Demand returns what a job that asks for req is leased (C2): one core if req
// is nil or empty, otherwise req without the resources of which it asks for 0.
//
// Every method that takes a request applies it, so callers need it only to
// show what will be leased. A request of nothing but zeros holds nothing and
// fits on every node that takes work. The result never is req itself. A
// negative amount is an [ErrNegative].
func Demand(req Resources) (Resources, error) {
	if len(req) == 0 {
		return Resources{dag.Cores: 1}, nil
	}
	needed := make(Resources, len(req))
	for name, amount := range req {
		switch {
		case amount < 0:
			return nil, fmt.Errorf("capacity: %d %s: %w", amount, name, ErrNegative)
		case amount > 0:
			needed[name] = amount
		}
	}
	return needed, nil
}
