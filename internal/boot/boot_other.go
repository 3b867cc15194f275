//go:build !linux

package boot

import "time"

// Since is the time since this process was started: nothing that counts by it outlives
// that.
func Since() time.Duration { return time.Since(processStart) }

// ID is not known.
func ID() string { return "" }
