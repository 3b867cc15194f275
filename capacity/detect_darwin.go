package capacity

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

func detect() (machine, error) {
	memory, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return machine{}, fmt.Errorf("sysctl hw.memsize: %w", err)
	}
	return machine{cores: int64(runtime.NumCPU()), memory: int64(memory)}, nil
}
