package slurm

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// An inquiry is what accounting said of jobs.
type inquiry struct {
	at   time.Time
	jobs map[jobName][]evidence.Job
}

// account returns what accounting says of a job of the item. The zero Job: there
// is no accounting, or it does not know. One question is asked for all jobs that
// are missing at a time.
func (k *keeper) account(it *item, id string) evidence.Job {
	k.accounting.Lock()
	defer k.accounting.Unlock()
	find := func() (evidence.Job, bool) {
		for _, n := range k.picture(it).names {
			for _, j := range k.inquiry.jobs[n] {
				if j.ID == id {
					return j, true
				}
			}
		}
		return evidence.Job{}, false
	}
	j, ok := find()
	if ok || time.Since(k.inquiry.at) < k.e.config.Interval {
		return j
	}
	k.inquire()
	j, _ = find()
	return j
}

// inquire asks accounting for all jobs that have gone from the queue.
func (k *keeper) inquire() {
	k.mu.Lock()
	accounting := k.cluster.Accounting
	var names []string
	for _, it := range k.items {
		if it.quiet > 0 {
			for _, n := range it.names {
				names = append(names, n.name)
			}
		}
	}
	k.mu.Unlock()
	k.inquiry = inquiry{at: time.Now(), jobs: map[jobName][]evidence.Job{}}
	if !accounting || len(names) == 0 {
		return
	}
	slices.Sort(names)
	names = slices.Compact(names)
	a, err := k.e.ask(context.Background(), "", "sacct", "--noheader", "--parsable2",
		"--allocations", "--duplicates", "--starttime=now-30days",
		"--name="+strings.Join(names, ","), "--format="+evidence.AccountingFormat)
	if err != nil || a.Exit != 0 {
		return // what is not known is not there
	}
	evidence.Accounting(a.Stdout, func(name string, index int, j evidence.Job) {
		n := jobName{name, index}
		k.inquiry.jobs[n] = append(k.inquiry.jobs[n], j)
	})
}

// unenforced names the resources that the job asks for and this cluster does
// not hold it to (E6).
func (e *Executor) unenforced(job dag.Job) []string {
	e.keeper.mu.Lock()
	c := e.keeper.cluster
	e.keeper.mu.Unlock()
	var names []string
	if job.Resources[dag.Cores] > 0 && !c.HoldsCores {
		names = append(names, dag.Cores)
	}
	if job.Resources[dag.MemoryMB] > 0 && !c.HoldsMemory {
		names = append(names, dag.MemoryMB)
	}
	return names
}
