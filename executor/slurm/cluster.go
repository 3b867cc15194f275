package slurm

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// askCluster asks once for the configuration of the cluster, also for jobs that an
// earlier engine has submitted. Without an answer the usual is assumed, and it is
// asked again before the next submission, not while those pause.
func (k *keeper) askCluster(ctx context.Context) {
	k.mu.Lock()
	ask := !k.asked && !time.Now().Before(k.pause)
	k.mu.Unlock()
	if !ask {
		return
	}
	a, err := k.e.ask(ctx, "", "scontrol", "show", "config")
	if err == nil {
		err = a.failure()
	}
	if ctx.Err() != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.cluster, k.asked = evidence.ParseCluster(a.Stdout), true
	}
	if k.tried {
		return
	}
	k.tried = true
	for _, it := range k.items {
		it.wake()
	}
}

// tells reports whether it is settled which of the resources the cluster holds jobs
// to. A result does not wait for an answer, but for the first try to get one.
func (k *keeper) tells(asked []string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tried || len(asked) == 0
}

// asked names the resources that a job asks for, sorted.
func (s *settings) asked() []string {
	var names []string
	if s.flags["--cpus-per-task"] != "" {
		names = append(names, dag.Cores)
	}
	if strings.HasPrefix(s.flags["--gres"], "gpu") {
		names = append(names, dag.GPUs)
	}
	if s.flags["--mem"] != "" {
		names = append(names, dag.MemoryMB)
	}
	return names
}

// unenforced names those of the resources that this cluster does not hold jobs
// to (E6).
func (k *keeper) unenforced(asked []string) []string {
	k.mu.Lock()
	c := k.cluster
	k.mu.Unlock()
	held := map[string]bool{
		dag.Cores: c.HoldsCores, dag.GPUs: c.HoldsGPUs, dag.MemoryMB: c.HoldsMemory,
	}
	return slices.DeleteFunc(slices.Clone(asked), func(name string) bool { return held[name] })
}
