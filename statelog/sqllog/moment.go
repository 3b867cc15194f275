package sqllog

import "time"

// A moment is a time in two columns: Unix seconds, which people can read with
// the functions of their database, and nanoseconds. Any time fits, and comes
// back as it was.
type moment struct {
	seconds int64
	nanos   int32
}

func momentOf(t time.Time) moment {
	return moment{seconds: t.Unix(), nanos: int32(t.Nanosecond())}
}

func (m moment) time() time.Time { return time.Unix(m.seconds, int64(m.nanos)) }

// zero reports whether it is the zero time.
func (m moment) zero() bool { return m.time().IsZero() }

// columns returns the arguments for two columns that may be NULL, which they are
// for the zero time.
func (m moment) columns() (seconds, nanos any) {
	if m.zero() {
		return nil, nil
	}
	return m.seconds, m.nanos
}
