package redislog

import (
	"fmt"
	"strconv"
	"time"
)

// timeKeySize is the length of a time as text that sorts like the time.
const timeKeySize = 24

// bias makes seconds before 1970 sort before those after.
const bias = 1 << 62

// timeKey returns t as text, in hexadecimal: 16 digits for the seconds, 8 for
// the nanoseconds.
func timeKey(t time.Time) string {
	if t.IsZero() {
		return fmt.Sprintf("%024x", 0)
	}
	return fmt.Sprintf("%016x%08x", uint64(t.Unix()+bias), t.Nanosecond())
}

// parseTimeKey accepts what timeKey returns.
func parseTimeKey(key string) (time.Time, error) {
	if len(key) != timeKeySize {
		return time.Time{}, fmt.Errorf("%q is no time", key)
	}
	seconds, err := strconv.ParseUint(key[:16], 16, 64)
	if err != nil {
		return time.Time{}, err
	}
	nanoseconds, err := strconv.ParseUint(key[16:], 16, 32)
	if err != nil {
		return time.Time{}, err
	}
	if seconds == 0 {
		return time.Time{}, nil
	}
	return time.Unix(int64(seconds-bias), int64(nanoseconds)), nil
}
