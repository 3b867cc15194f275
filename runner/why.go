package runner

import (
	"fmt"
	"strings"
	"time"

	"github.com/daggy-go/daggy/runner/internal/plan"
)

// ReasonKind says what an instance waits for (R6).
type ReasonKind string

// The kinds of reasons.
const (
	WaitsForParents  ReasonKind = "parents"   // Tasks have not completed
	WaitsForParent   ReasonKind = "failed"    // Tasks ended without success: it will be skipped
	WaitsForTime     ReasonKind = "notBefore" // not before Until
	WaitsForBackoff  ReasonKind = "backoff"   // its next attempt comes at Until
	WaitsForHold     ReasonKind = "held"      // until it is released
	WaitsForPause    ReasonKind = "paused"    // until the run continues
	WaitsForCapacity ReasonKind = "capacity"  // until there is room for what it asks
	WaitsForSlot     ReasonKind = "slot"      // until fewer attempts run in its pool
	WaitsForExecutor ReasonKind = "executor"  // its executor has it and says Text
	WaitsForLog      ReasonKind = "log"       // until the state log takes records again
	WaitsForEnd      ReasonKind = "ending"    // the run is being stopped: it will not start
)

// A Reason says why an instance does not run.
type Reason struct {
	Kind ReasonKind
	// Tasks it waits for, by name, at most 20.
	Tasks []string
	// Until is when it may go on. Zero: not known.
	Until time.Time
	// Text is for people.
	Text string
}

// maxReasonTasks bounds Reason.Tasks.
const maxReasonTasks = 20

// Why returns the reasons why an instance does not run, or those of the first
// instance of a task that waits. There are none if it runs or is over.
func (h *Handle) Why(name string) ([]Reason, error) {
	e := h.e
	e.mu.Lock()
	defer e.mu.Unlock()
	task, instance, err := e.def.find(name)
	if err != nil {
		return nil, err
	}
	return e.reasons(task, e.plan.Why(task, instance)), nil
}

func (e *engine) reasons(task int, w plan.Why) []Reason {
	var reasons []Reason
	add := func(yes bool, r Reason) {
		if yes {
			reasons = append(reasons, r)
		}
	}
	if names := e.names(w.Failed); len(names) > 0 {
		add(true, Reason{
			Kind: WaitsForParent, Tasks: names,
			Text: fmt.Sprintf("it will be skipped, since %s did not complete", list(names)),
		})
	}
	if names := e.names(w.Parents); len(names) > 0 {
		add(true, Reason{
			Kind: WaitsForParents, Tasks: names, Text: "it waits for " + list(names),
		})
	}
	add(w.Ending, Reason{Kind: WaitsForEnd, Text: "the run is being stopped"})
	add(w.Held, Reason{Kind: WaitsForHold, Text: "it is held"})
	add(w.Paused, Reason{Kind: WaitsForPause, Text: "the run is paused"})
	add(w.NotBefore != 0, Reason{
		Kind: WaitsForTime, Until: time.Unix(0, w.NotBefore),
		Text: "it may not start before " + time.Unix(0, w.NotBefore).Format(time.RFC3339),
	})
	add(w.Backoff != 0, Reason{
		Kind: WaitsForBackoff, Until: time.Unix(0, w.Backoff),
		Text: "its next attempt is due at " + time.Unix(0, w.Backoff).Format(time.RFC3339),
	})
	if e.away != nil && w.Ready {
		add(true, Reason{
			Kind: WaitsForLog, Text: "the state log takes no records: " + e.away.Error(),
		})
	}
	add(w.Executor != "", Reason{Kind: WaitsForExecutor, Text: w.Executor})
	if !w.Ready || len(reasons) > 0 {
		return reasons
	}
	return append(reasons, e.lacks(task))
}

// lacks says what keeps a task from starting that could otherwise.
func (e *engine) lacks(task int) Reason {
	g := e.def.pools.groups[e.plan.Group(task)]
	pool := &e.def.pools.list[g.pool]
	if pool.allocator != nil {
		if err := pool.refusal(g.resources); err != nil {
			return Reason{Kind: WaitsForCapacity, Text: explained(pool, g, err)}
		}
	}
	return Reason{
		Kind: WaitsForSlot,
		Text: fmt.Sprintf("%d attempts run in pool %q and others are ahead of it",
			e.pools[g.pool].count, pool.name),
	}
}

// explained is a refusal and, where there is a choice, what each node has to say.
func explained(pool *poolDef, g groupDef, err error) string {
	nodes := pool.allocator.Explain(g.resources)
	if !strings.Contains(nodes, "; ") { // one node, which the refusal names
		return err.Error()
	}
	return err.Error() + ": " + nodes
}

func (e *engine) names(tasks []int32) []string {
	if len(tasks) == 0 {
		return nil
	}
	names := make([]string, 0, min(len(tasks), maxReasonTasks))
	for _, t := range tasks[:min(len(tasks), maxReasonTasks)] {
		names = append(names, e.def.graph.Name(int(t)))
	}
	return names
}

func list(names []string) string {
	switch n := len(names); {
	case n == 1:
		return fmt.Sprintf("%q", names[0])
	case n <= 3:
		text := fmt.Sprintf("%q", names[0])
		for _, name := range names[1:] {
			text += fmt.Sprintf(", %q", name)
		}
		return text
	default:
		return fmt.Sprintf("%q, %q and %d more", names[0], names[1], n-2)
	}
}
