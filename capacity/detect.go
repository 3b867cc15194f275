package capacity

import (
	"fmt"

	"github.com/daggy-go/daggy/dag"
)

// What is kept back of the memory, and by a daemon also of the cores, is for
// the program itself and the system around it. Memory has no queue: who runs
// out of it is killed, where cores only make one wait.
const (
	memoryShare         = 0.75
	daemonCores         = 2   // left to others
	daemonLeastMB       = 100 // offered on the smallest machine
	bytesToMB           = 20  // right shift
	leastCores          = 1
	unlimited     int64 = 1<<63 - 1
)

// A machine is what this process may use.
type machine struct {
	cores  int64
	memory int64 // bytes
}

// Detect returns what a program that runs jobs beside its own work should
// offer of this machine: all cores and 75 % of the memory, as [dag.Cores] and
// [dag.MemoryMB]. GPUs and anything else are not detected; whoever has some
// adds them to the result.
//
// What counts as the machine depends on the platform:
//   - Linux: the CPUs that the process may be scheduled on when it starts and
//     the physical memory, both lowered to the tightest limit of the process's
//     cgroup and all its visible ancestors, version 1, 2 or both. A CPU quota
//     is rounded down to whole cores, but not to none.
//   - macOS: all logical CPUs and the physical memory.
//   - Windows: the CPUs that the process may be scheduled on when it starts and
//     the physical memory. Limits of job objects are not respected.
//
// On other platforms the error is [errors.ErrUnsupported]: state the resources
// instead. GOMAXPROCS and GOMEMLIMIT are not looked at, because they limit this
// process only and not its children. A limit that is there but makes no sense
// is an error; one that is not there or may not be read is none.
func Detect() (Resources, error) {
	m, err := detect()
	if err != nil {
		return nil, fmt.Errorf("capacity: detect: %w", err)
	}
	return m.embedded(), nil
}

// DetectDaemon is [Detect] for a program that has the machine to itself and has
// to stay responsive: two cores less, but not none, and 75 % of the memory, but
// not less than 100 MB. It is a default: whoever is told to use all cores takes
// their number from Detect.
func DetectDaemon() (Resources, error) {
	m, err := detect()
	if err != nil {
		return nil, fmt.Errorf("capacity: detect: %w", err)
	}
	return m.daemon(), nil
}

func (m machine) embedded() Resources {
	return Resources{dag.Cores: m.cores, dag.MemoryMB: m.sharedMB()}
}

func (m machine) daemon() Resources {
	return Resources{
		dag.Cores:    max(leastCores, m.cores-daemonCores),
		dag.MemoryMB: max(daemonLeastMB, m.sharedMB()),
	}
}

func (m machine) sharedMB() int64 {
	return int64(memoryShare * float64(m.memory>>bytesToMB))
}
