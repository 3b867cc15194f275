//go:build !linux

package agent

import "time"

// sinceBoot is the time since this process was started: no lease outlives it.
func sinceBoot() time.Duration { return time.Since(processStart) }

func bootID() string { return "" }

func load() float64 { return 0 }
