package boot

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Since is the time since the machine was booted. Unlike the clock of package time it
// goes on while the machine sleeps, and is the same for all processes.
func Since() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(ts.Nano())
}

// ID tells this boot of the machine from all others. "": it is not known.
func ID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
