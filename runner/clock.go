package runner

import (
	"sync/atomic"
	"time"
)

// clock reads the time at half the price while it hardly moves: it adds what
// the monotonic clock says to a full reading that is not old. It is not used
// longer, for the monotonic clock stands still while a machine sleeps.
//
// What is read later is not earlier, unless the wall clock was set back by more
// than is read off one full reading.
type clock struct{ full atomic.Pointer[time.Time] }

const clockSpan = 5 * time.Millisecond

func (c *clock) now() time.Time {
	full := c.full.Load()
	if full == nil {
		t := time.Now()
		c.full.CompareAndSwap(nil, &t)
		return c.now()
	}
	d := time.Since(*full)
	if d < clockSpan {
		return full.Add(d)
	}
	t := time.Now()
	// Wall clocks are also slowed down. To somebody who compares two times of a
	// report, that must not look like going back.
	if back := full.UnixNano() + int64(t.Sub(*full)) - t.UnixNano(); 0 < back &&
		back < int64(clockSpan) {
		t = full.Add(t.Sub(*full))
	}
	c.full.CompareAndSwap(full, &t)
	return t
}

// later returns the later of two readings.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// passes waits for a time, and reports false if something else ends first.
func passes(d time.Duration, ends <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ends:
		return false
	}
}
