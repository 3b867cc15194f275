// Package keyset remembers for ever which keys of attempts were used, in a few
// bytes for each task of a run.
package keyset

import (
	"cmp"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Set is a set of keys. The keys of a run are its prefix and three numbers, of
// which ranges are kept: a million instances of a task take no more than one. Keys
// of another form are kept as they are. Make it with [New]. It is not safe for
// concurrent use.
type Set struct {
	ranges map[series]*ranges
	spans  int // in all ranges
	others map[string]struct{}
}

// A series is a number of keys that differ in one number. That is the number of
// the instance, except for instance 0, where it is the number of the task: so
// both many instances of one task and many tasks of one instance are few series.
type series struct {
	prefix string
	number uint64 // of the attempt
	task   uint64 // 1 + that of the task; 0: of all tasks
}

// New returns an empty set.
func New() *Set {
	return &Set{ranges: map[series]*ranges{}, others: map[string]struct{}{}}
}

// split takes a key of the form prefix-task-instance-number apart.
func split(key string) (s series, n uint64, ok bool) {
	var numbers [3]uint64
	rest := key
	for i := len(numbers) - 1; i >= 0; i-- {
		dash := strings.LastIndexByte(rest, '-')
		if dash < 0 {
			return s, 0, false
		}
		if numbers[i], ok = decimal(rest[dash+1:]); !ok {
			return s, 0, false
		}
		rest = rest[:dash]
	}
	s = series{prefix: rest, number: numbers[2]}
	if numbers[1] == 0 {
		return s, numbers[0], true
	}
	s.task = numbers[0] + 1
	return s, numbers[1], true
}

// decimal parses a number that is written in one way only.
func decimal(text string) (uint64, bool) {
	const most = 18 // digits, so that nothing overflows
	if text == "" || len(text) > most || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// Add adds a key, which it may keep a copy of.
func (u *Set) Add(key string) {
	s, n, ok := split(key)
	if !ok {
		u.others[strings.Clone(key)] = struct{}{}
		return
	}
	u.add(s, span{n, n})
}

func (u *Set) add(s series, x span) {
	r := u.ranges[s]
	if r == nil {
		s.prefix = strings.Clone(s.prefix)
		r = new(ranges)
		u.ranges[s] = r
	}
	before := len(*r)
	r.add(x.first, x.last)
	u.spans += len(*r) - before
}

// Has reports whether a key is in the set.
func (u *Set) Has(key string) bool {
	s, n, ok := split(key)
	if !ok {
		_, found := u.others[key]
		return found
	}
	r := u.ranges[s]
	return r != nil && r.has(n)
}

// Spans is how much the set holds: of ranges, and of keys that are in none.
func (u *Set) Spans() int { return u.spans + len(u.others) }

// ranges are sorted, and neither overlap nor touch.
type ranges []span

type span struct{ first, last uint64 }

// add adds all numbers from first to last.
func (r *ranges) add(first, last uint64) {
	// All spans from i up to j overlap or touch.
	i, _ := slices.BinarySearchFunc(*r, first, func(s span, n uint64) int {
		if s.last+1 < n {
			return -1
		}
		return 1
	})
	j := i
	for j < len(*r) && (*r)[j].first <= last+1 {
		first, last = min(first, (*r)[j].first), max(last, (*r)[j].last)
		j++
	}
	*r = slices.Replace(*r, i, j, span{first, last})
}

func (r *ranges) has(n uint64) bool {
	_, found := slices.BinarySearchFunc(*r, n, func(s span, n uint64) int {
		switch {
		case s.last < n:
			return -1
		case s.first > n:
			return 1
		}
		return 0
	})
	return found
}

// most is how many ranges or keys there are in a part.
const most = 1024

// ErrMalformed says that bytes are not a part of a set.
var ErrMalformed = errors.New("keyset: malformed")

// Parts yields the set in parts that [Set.AddRanges] reads, or [Set.Add] for each
// of the keys if that is what there is: keys of no range. Their order is always
// the same.
func (u *Set) Parts(yield func(part []byte, keys []string) error) error {
	order := func(a, b series) int {
		return cmp.Or(strings.Compare(a.prefix, b.prefix),
			cmp.Compare(a.number, b.number), cmp.Compare(a.task, b.task))
	}
	for _, s := range slices.SortedFunc(maps.Keys(u.ranges), order) {
		for part := range slices.Chunk(*u.ranges[s], most) {
			if err := yield(appendSeries(nil, s, part), nil); err != nil {
				return err
			}
		}
	}
	others := slices.Sorted(maps.Keys(u.others))
	for part := range slices.Chunk(others, most) {
		if err := yield(nil, part); err != nil {
			return err
		}
	}
	return nil
}

// appendSeries writes the length of the prefix and the prefix, the numbers of the
// attempt and of the task, and how many spans there are; and of each span its
// first number and how many follow. All numbers are uvarints.
func appendSeries(b []byte, s series, spans []span) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.prefix)))
	b = append(b, s.prefix...)
	for _, n := range []uint64{s.number, s.task, uint64(len(spans))} {
		b = binary.AppendUvarint(b, n)
	}
	for _, x := range spans {
		b = binary.AppendUvarint(b, x.first)
		b = binary.AppendUvarint(b, x.last-x.first)
	}
	return b
}

// AddRanges adds the keys of a part.
func (u *Set) AddRanges(b []byte) error {
	bad := false
	next := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n >= 1<<62 {
			bad, b = true, nil
			return 0
		}
		b = b[size:]
		return n
	}
	length := next()
	if length > uint64(len(b)) {
		return ErrMalformed
	}
	s := series{prefix: string(b[:length])}
	b = b[length:]
	s.number, s.task = next(), next()
	var spans []span
	for n := next(); n > 0 && !bad; n-- {
		first := next()
		spans = append(spans, span{first, first + next()})
	}
	if bad || len(b) > 0 {
		return ErrMalformed
	}
	for _, x := range spans {
		u.add(s, x)
	}
	return nil
}
