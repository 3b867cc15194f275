package wire

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/daggy-go/daggy/dag"
)

// A Start is everything that a supervisor needs to run a command.
type Start struct {
	Key  string
	Path string // the program
	Dir  string // where to run it
	Node string // what the result calls this machine
	Argv []string
	Env  []string
	// Resources are what the job asks for. Mode says how it is held to that, as in
	// Limits of package fork, and so does Pids. Of that, all negative ones are one.
	Resources dag.Resources
	Mode      byte
	Pids      int64
	// Grace, WaitDelay and Limit are as in Config and Job: negative: none, and
	// a Limit of 0: none.
	Grace, WaitDelay, Limit time.Duration
	// Wanted says which outputs are kept. Joined: both are one, the first.
	Wanted [2]bool
	Joined bool
}

// Append appends s to b.
func (s *Start) Append(b []byte) []byte {
	for _, text := range []string{s.Key, s.Path, s.Dir, s.Node} {
		b = AppendString(b, text)
	}
	for _, list := range [][]string{s.Argv, s.Env} {
		b = AppendStrings(b, list)
	}
	b = appendResources(b, s.Resources)
	b = append(b, s.Mode)
	b = AppendUint(b, uint64(max(s.Pids, -1)+1))
	for _, d := range []time.Duration{s.Grace, s.WaitDelay, s.Limit} {
		b = appendDuration(b, d)
	}
	b = AppendBool(b, s.Wanted[0])
	b = AppendBool(b, s.Wanted[1])
	return AppendBool(b, s.Joined)
}

// DecodeStart reads what Append has written.
func DecodeStart(b []byte) (Start, error) {
	d := NewDecoder(b)
	s := Start{
		Key: d.String(), Path: d.String(), Dir: d.String(), Node: d.String(),
		Argv: d.Strings(), Env: d.Strings(),
		Resources: d.resources(), Mode: d.Byte(), Pids: d.Size() - 1,
		Grace: d.duration(), WaitDelay: d.duration(), Limit: d.duration(),
		Wanted: [2]bool{d.Bool(), d.Bool()},
		Joined: d.Bool(),
	}
	if err := d.End(); err != nil {
		return Start{}, fmt.Errorf("start: %w", err)
	}
	return s, nil
}

// appendResources appends amounts, sorted by name. Those that are not positive ask for
// nothing.
func appendResources(b []byte, r dag.Resources) []byte {
	names := slices.Sorted(maps.Keys(r))
	names = slices.DeleteFunc(names, func(name string) bool { return r[name] <= 0 })
	b = AppendUint(b, uint64(len(names)))
	for _, name := range names {
		b = AppendString(b, name)
		b = AppendUint(b, uint64(r[name]))
	}
	return b
}

func (d *Decoder) resources() dag.Resources {
	var r dag.Resources
	last := ""
	for n := d.Uint(); n > 0; n-- {
		name, amount := d.String(), d.Size()
		if amount == 0 || r != nil && name <= last {
			d.fail()
			return nil
		}
		if r == nil {
			r = dag.Resources{}
		}
		r[name], last = amount, name
	}
	return r
}

// appendDuration appends a duration; all negative ones are one.
func appendDuration(b []byte, d time.Duration) []byte {
	if d < 0 {
		return AppendUint(b, 0)
	}
	return AppendUint(b, uint64(d)+1)
}

func (d *Decoder) duration() time.Duration { return time.Duration(d.Size() - 1) }

// A Stop ends what runs.
type Stop struct {
	Key       string
	TimeLimit bool // it took too long
}

// Append appends s to b.
func (s Stop) Append(b []byte) []byte { return AppendBool(AppendString(b, s.Key), s.TimeLimit) }

// DecodeStop reads what Append has written.
func DecodeStop(b []byte) (Stop, error) {
	d := NewDecoder(b)
	s := Stop{Key: d.String(), TimeLimit: d.Bool()}
	return s, d.End()
}

// A Chunk is the next output of an attempt.
type Chunk struct {
	Stream int // 0 or 1
	Offset int64
	Data   []byte
}

// Append appends c to b.
func (c Chunk) Append(b []byte) []byte {
	b = append(b, byte(c.Stream))
	b = AppendUint(b, uint64(c.Offset))
	return append(b, c.Data...)
}

// DecodeChunk reads what Append has written. The data is not copied.
func DecodeChunk(b []byte) (Chunk, error) {
	d := NewDecoder(b)
	c := Chunk{Stream: d.stream(), Offset: d.Size()}
	c.Data = d.Rest()
	return c, d.End()
}

// A Growth says that so much of an output is in its file now.
type Growth struct {
	Stream int // 0 or 1
	Size   int64
}

// Append appends g to b.
func (g Growth) Append(b []byte) []byte {
	return AppendUint(append(b, byte(g.Stream)), uint64(g.Size))
}

// DecodeGrowth reads what Append has written.
func DecodeGrowth(b []byte) (Growth, error) {
	d := NewDecoder(b)
	g := Growth{Stream: d.stream(), Size: d.Size()}
	return g, d.End()
}

func (d *Decoder) stream() int {
	n := d.Byte()
	if n > 1 {
		d.fail()
		return 0
	}
	return int(n)
}

// DecodeKeys reads a list of keys and nothing else.
func DecodeKeys(b []byte) ([]string, error) {
	d := NewDecoder(b)
	keys := d.Strings()
	return keys, d.End()
}
