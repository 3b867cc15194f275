package statelog

import (
	"github.com/daggy-go/daggy/dag"
)

// UnmarshalBinary accepts what [Record.AppendBinary] appends, as a [Decoder]
// does, which is for many. It retains nothing of data. Seq stays what it was.
// After an error the record is what it was.
func (rec *Record) UnmarshalBinary(data []byte) error {
	var d Decoder
	decoded, err := d.Decode(data)
	if err != nil {
		return err
	}
	seq := rec.Seq
	*rec = *decoded
	rec.Seq = seq
	return nil
}

// run decodes what appendRun appends.
func (rec *Record) run(s *source, has presence) {
	if has&hasState != 0 {
		rec.State = s.text("")
	}
	if has&hasEngine != 0 {
		rec.Engine = s.text("")
	}
	if has&hasPools != 0 {
		rec.Pools = s.pools()
	}
	if has&hasOpened != 0 {
		rec.Opened = s.opening()
	}
	if has&hasFarTime != 0 {
		rec.Time = s.far()
	}
	if has&hasFarStart != 0 {
		rec.Start = s.far()
	}
}

func (s *source) pools() []Pool {
	n := s.count(3)
	if n == 0 {
		return nil
	}
	pools := make([]Pool, n)
	for i := range pools {
		pools[i] = Pool{Name: s.text(""), Executor: s.text(""), Durable: s.flags(1) != 0}
	}
	return pools
}

// opening decodes what appendOpening appends.
func (s *source) opening() *Opening {
	op := &Opening{Version: s.int(), Expansion: s.int()}
	flags := s.flags(3)
	op.FailFast, op.LongestPathFirst = flags&1 != 0, flags&2 != 0
	op.KeyPrefix, op.Seed = s.text(""), s.uint64()
	op.Tags = s.tags()
	if flags&4 == 0 || s.err != nil {
		return op
	}
	definition, err := anything.Parse(s.bytes())
	if err != nil {
		s.fail("definition: %w", err)
		return op
	}
	op.Definition = func() *dag.DAG { return definition }
	return op
}

func (s *source) tags() map[string]string {
	n := s.count(2)
	if n == 0 {
		return nil
	}
	tags := make(map[string]string, n)
	for range n {
		key := s.text("")
		if _, ok := tags[key]; ok {
			s.fail("the tag %q is there twice", key)
		}
		tags[key] = s.text("")
	}
	return tags
}

// word returns the number of one of these texts.
func (s *source) word(texts []string, what string) byte {
	n := s.byte()
	if s.err == nil && !known(texts, n) {
		s.fail("there is no %s %d", what, n)
		return 0
	}
	return n
}
