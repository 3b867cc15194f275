package evidence

import (
	"bytes"
	"strconv"
	"strings"
)

// A Cluster is what matters of the configuration of a cluster.
type Cluster struct {
	// MaxArray is how many elements an array may have, counted from 0. 0: not known.
	MaxArray int
	// Accounting: sacct can be asked.
	Accounting bool
	// HoldsCores, HoldsMemory and HoldsGPUs: jobs cannot use more than they ask for.
	HoldsCores, HoldsMemory, HoldsGPUs bool
}

// ParseCluster reads what "scontrol show config" prints.
func ParseCluster(out []byte) Cluster {
	v := map[string]string{}
	for line := range bytes.Lines(out) {
		name, value, ok := strings.Cut(string(line), "=")
		if ok {
			v[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	store := v["AccountingStorageType"]
	cgroup := strings.Contains(v["TaskPlugin"], "cgroup")
	return Cluster{
		MaxArray:   maxArray(v["MaxArraySize"], v["SchedulerParameters"]),
		Accounting: store != "" && store != "accounting_storage/none" && store != "(null)",
		HoldsCores: cgroup && v["ConstrainCores"] == "yes" ||
			strings.Contains(v["TaskPlugin"], "affinity"),
		HoldsGPUs: cgroup && v["ConstrainDevices"] == "yes",
		HoldsMemory: cgroup && v["ConstrainRAMSpace"] == "yes" ||
			strings.Contains(v["JobAcctGatherParams"], "OverMemoryKill"),
	}
}

// maxArray takes one more than the largest index of an element, which is 0 where there
// are no arrays, and parameters of which one may allow fewer.
func maxArray(size, parameters string) int {
	most, err := strconv.Atoi(size)
	if err != nil || most < 0 {
		return 0
	}
	for p := range strings.SplitSeq(parameters, ",") {
		if text, ok := strings.CutPrefix(p, "max_array_tasks="); ok {
			if n, ok := number(text); ok {
				most = min(most, n)
			}
		}
	}
	return max(most, 1)
}

// AccountingFormat is what sacct is asked to print of each job, with -P.
const AccountingFormat = "JobID,State,JobName"

// Accounting reads what sacct prints. Steps are left out.
func Accounting(out []byte, each func(name string, index int, j Job)) {
	for line := range bytes.Lines(out) {
		f := strings.SplitN(strings.TrimRight(string(line), "\r\n"), "|", 3)
		if len(f) != 3 || f[1] == "" {
			continue
		}
		elements(f[0], func(id string, index int) {
			each(f[2], index, Job{ID: id, State: f[1]})
		})
	}
}
