package slurm

import (
	"context"
	"slices"
	"strings"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// inquire has accounting asked what became of an item, together with what else is
// missing then. It reports whether that was done, and the job of this ID if
// accounting has it.
func (k *keeper) inquire(it *item, id string) (evidence.Job, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if it.inquiry == notAsked {
		it.inquiry = toAsk
	}
	for _, j := range it.account {
		if j.ID == id {
			return j, true
		}
	}
	return evidence.Job{}, it.inquiry == answered
}

// An inquiry is how far it is with asking accounting about an item.
type inquiry uint8

const (
	notAsked inquiry = iota
	toAsk
	asking   // sacct has it
	answered // or there is nobody to ask
)

// maxInquired is how many names one sacct is given: there is a limit to what an
// argument may be.
const maxInquired = 1000

// askAccounting asks accounting about all items that wait for that.
func (k *keeper) askAccounting(ctx context.Context) {
	k.mu.Lock()
	accounting := k.cluster.Accounting || !k.asked
	var names []string
	for _, it := range k.items {
		if it.inquiry != toAsk {
			continue
		}
		it.inquiry = asking
		for _, n := range it.names {
			names = append(names, n.name)
		}
	}
	k.mu.Unlock()
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	var out []byte
	if accounting {
		for some := range slices.Chunk(slices.Compact(names), maxInquired) {
			out = append(out, k.e.sacct(ctx, some)...)
		}
	}
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	evidence.Accounting(out, func(name string, index int, j evidence.Job) {
		if it := k.names[jobName{name, index}]; it != nil && it.inquiry == asking {
			it.account = append(it.account, j)
		}
	})
	for _, it := range k.items {
		if it.inquiry == asking {
			it.inquiry = answered
			it.wake()
		}
	}
}

// sacct returns what accounting has of these names. If it does not answer, what it
// knows is not known, which is no worse than no accounting.
func (e *Executor) sacct(ctx context.Context, names []string) []byte {
	a, err := e.ask(ctx, "", "sacct", "--noheader", "--parsable2", "--allocations",
		"--duplicates", "--starttime=now-30days", "--format="+evidence.AccountingFormat,
		"--name="+strings.Join(names, ","))
	if err != nil || a.Exit != 0 {
		return nil
	}
	return a.Stdout
}
