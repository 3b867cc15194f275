package journal

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// used is a set of keys. The keys of a run are its prefix and three numbers, of
// which ranges are kept: a million instances of a task take no more than one.
type used struct {
	ranges map[series]*ranges
	others map[string]struct{} // keys of another form
}

// A series is a number of keys that differ in one number. That is the number of
// the instance, except for instance 0, where it is the number of the task: so
// both many instances of one task and many tasks of one instance are few series.
type series struct {
	prefix string
	number uint64 // of the attempt
	task   uint64 // 1 + that of the task; 0: of all tasks
}

func newUsed() used {
	return used{ranges: map[series]*ranges{}, others: map[string]struct{}{}}
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

func (u used) add(key string) {
	s, n, ok := split(key)
	if !ok {
		u.others[strings.Clone(key)] = struct{}{}
		return
	}
	u.series(s).add(n, n)
}

func (u used) series(s series) *ranges {
	r := u.ranges[s]
	if r == nil {
		s.prefix = strings.Clone(s.prefix)
		r = new(ranges)
		u.ranges[s] = r
	}
	return r
}

func (u used) has(key string) bool {
	s, n, ok := split(key)
	if !ok {
		_, found := u.others[key]
		return found
	}
	r := u.ranges[s]
	return r != nil && r.has(n)
}

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

// records yields bodies of records that have all of the set in them.
func (u used) records(yield func(kind, []byte) error) error {
	order := func(a, b series) int {
		return cmp.Or(strings.Compare(a.prefix, b.prefix),
			cmp.Compare(a.number, b.number), cmp.Compare(a.task, b.task))
	}
	for _, s := range slices.SortedFunc(maps.Keys(u.ranges), order) {
		for part := range slices.Chunk(*u.ranges[s], most) {
			if err := yield(kindUsed, appendSeries(nil, s, part)); err != nil {
				return err
			}
		}
	}
	others := slices.Sorted(maps.Keys(u.others))
	for part := range slices.Chunk(others, most) {
		if err := yield(kindForgotten, wire.AppendStrings(nil, part)); err != nil {
			return err
		}
	}
	return nil
}

// most is how many ranges or keys there are in a record.
const most = 1024

func appendSeries(b []byte, s series, spans []span) []byte {
	b = wire.AppendString(b, s.prefix)
	b = wire.AppendUint(b, s.number)
	b = wire.AppendUint(b, s.task)
	b = wire.AppendUint(b, uint64(len(spans)))
	for _, x := range spans {
		b = wire.AppendUint(b, x.first)
		b = wire.AppendUint(b, x.last-x.first)
	}
	return b
}

// decodeSeries adds what appendSeries has written.
func (u used) decodeSeries(b []byte) error {
	d := wire.NewDecoder(b)
	s := series{prefix: d.String(), number: d.Uint(), task: d.Uint()}
	n := d.Uint()
	var spans []span
	for i := uint64(0); i < n && d.More(); i++ {
		first, length := d.Size(), d.Size()
		spans = append(spans, span{uint64(first), uint64(first) + uint64(length)})
	}
	if err := d.End(); err != nil || uint64(len(spans)) != n {
		return wire.ErrMalformed
	}
	for _, x := range spans {
		u.series(s).add(x.first, x.last)
	}
	return nil
}
