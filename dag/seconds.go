package dag

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// parseSeconds reads a JSON number as seconds. Nothing that formatSeconds
// writes is rounded.
func parseSeconds(s string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if len(fraction) <= 9 && !strings.ContainsAny(s, "eE") {
		nanos, err := strconv.ParseInt(whole+(fraction + "000000000")[:9], 10, 64)
		return time.Duration(nanos), err == nil
	}
	v, err := strconv.ParseFloat(s, 64)
	nanos := math.RoundToEven(v * 1e9)
	if err != nil || math.Abs(nanos) >= math.MaxInt64 {
		return 0, false
	}
	return time.Duration(nanos), true
}

// appendSeconds appends d as a JSON number of seconds, exactly.
func appendSeconds(b []byte, d time.Duration) []byte {
	if d < 0 {
		b = append(b, '-')
	}
	// The smallest duration has no negative, so go on without sign.
	nanos := uint64(d)
	if d < 0 {
		nanos = -nanos
	}
	b = strconv.AppendUint(b, nanos/1e9, 10)
	if nanos %= 1e9; nanos != 0 {
		digits := strconv.FormatUint(nanos+1e9, 10)[1:]
		b = append(b, '.')
		b = append(b, strings.TrimRight(digits, "0")...)
	}
	return b
}
