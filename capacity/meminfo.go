package capacity

import (
	"bytes"
	"fmt"
	"io/fs"
	"strconv"
)

// linuxMachine reads what Linux says about itself under root, on any platform.
// cpus is how many the scheduler gives to this process.
func linuxMachine(root fs.FS, cpus int) (machine, error) {
	memory, err := memTotal(root)
	if err != nil {
		return machine{}, err
	}
	limit, err := cgroupLimit(root)
	if err != nil {
		return machine{}, err
	}
	return machine{
		cores:  min(int64(cpus), limit.cores),
		memory: min(memory, limit.memory),
	}, nil
}

// memTotal returns the physical memory in bytes.
func memTotal(root fs.FS) (int64, error) {
	const file = "proc/meminfo"
	data, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(data) {
		// MemTotal:       16316412 kB
		words := bytes.Fields(line)
		if len(words) != 3 || string(words[0]) != "MemTotal:" || string(words[2]) != "kB" {
			continue
		}
		kb, err := strconv.ParseInt(string(words[1]), 10, 53)
		if err != nil || kb <= 0 {
			return 0, fmt.Errorf("/%s: unexpected %q", file, bytes.TrimSpace(line))
		}
		return kb << 10, nil
	}
	return 0, fmt.Errorf("/%s: no MemTotal", file)
}
