package plan

import (
	"math/bits"
	"time"
)

// Backoff is exponential, with a factor of 2, and jittered.
type Backoff struct {
	// Min is the delay after the first loss, Max the longest there is.
	Min, Max time.Duration
	// Budget is how many losses an instance may have. Negative: any number.
	Budget int
}

func (b Backoff) exhausted(losses int) bool { return b.Budget >= 0 && losses > b.Budget }

// Delay returns how long to wait after the n-th loss of an instance: between
// half of the step and the whole. It is a function of its arguments, so that
// the same seed gives the same delays in whatever order things happen.
func (b Backoff) Delay(seed uint64, instance int32, n int) time.Duration {
	step := b.Max
	if shift := n - 1; shift < 62 && b.Min <= b.Max>>shift {
		step = b.Min << shift
	}
	if step <= 0 {
		return 0
	}
	h := mix(seed ^ mix(uint64(instance)<<32|uint64(uint32(n))))
	over, _ := bits.Mul64(h, uint64(step-step/2)+1)
	return step/2 + time.Duration(over)
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
