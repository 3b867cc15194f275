// Package boot tells the time since the machine was booted, and one boot from another.
package boot

import "time"

// processStart is the beginning of the clock where there is none that goes on from
// one process to the next.
var processStart = time.Now()
