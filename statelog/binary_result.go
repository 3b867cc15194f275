package statelog

import (
	"encoding/binary"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// A resultPresence has a bit for each part of a result that is there, as
// presence has for a record.
type resultPresence uint32

const (
	hasExitCode resultPresence = 1 << iota
	hasBegin
	hasEnd
	hasUserCPU
	hasSystemCPU
	hasMaxRSS
	hasPlace // the node

	hasSignal
	hasCause
	hasMessage
	hasLeft
	hasUnenforced
	hasFarBegin // instead of hasBegin
	hasFarEnd   // instead of hasEnd

	pastResultPresence
)

func resultParts(r *executor.Result) resultPresence {
	var has resultPresence
	set := func(bit resultPresence, is bool) {
		if is {
			has |= bit
		}
	}
	beginNear, endNear := near(r.Start), near(r.End)
	set(hasExitCode, r.ExitCode != 0)
	set(hasBegin, beginNear)
	set(hasEnd, endNear)
	set(hasUserCPU, r.UserCPU != 0)
	set(hasSystemCPU, r.SystemCPU != 0)
	set(hasMaxRSS, r.MaxRSS != 0)
	set(hasPlace, r.Node != "")
	set(hasSignal, r.Signal != "")
	set(hasCause, r.Cause != "")
	set(hasMessage, r.Message != "")
	set(hasLeft, len(r.Left) > 0)
	set(hasUnenforced, len(r.Unenforced) > 0)
	set(hasFarBegin, !beginNear && !r.Start.IsZero())
	set(hasFarEnd, !endNear && !r.End.IsZero())
	return has
}

// appendResult appends a result. Its times are told by base.
func appendResult(b []byte, base int64, r *executor.Result) []byte {
	has := resultParts(r)
	b = binary.AppendUvarint(b, uint64(has))
	if has&hasExitCode != 0 {
		b = binary.AppendVarint(b, int64(r.ExitCode))
	}
	if has&hasBegin != 0 {
		b = appendNear(b, base, r.Start)
	}
	if has&hasEnd != 0 {
		b = appendNear(b, base, r.End)
	}
	if has&hasUserCPU != 0 {
		b = binary.AppendVarint(b, int64(r.UserCPU))
	}
	if has&hasSystemCPU != 0 {
		b = binary.AppendVarint(b, int64(r.SystemCPU))
	}
	if has&hasMaxRSS != 0 {
		b = binary.AppendVarint(b, r.MaxRSS)
	}
	if has&hasPlace != 0 {
		b = appendText(b, r.Node)
	}
	if has < hasSignal {
		return b
	}
	return appendRareResult(b, has, r)
}

func appendRareResult(b []byte, has resultPresence, r *executor.Result) []byte {
	if has&hasSignal != 0 {
		b = appendText(b, r.Signal)
	}
	if has&hasCause != 0 {
		b = appendText(b, r.Cause)
	}
	if has&hasMessage != 0 {
		b = appendText(b, r.Message)
	}
	if has&hasLeft != 0 {
		b = appendTexts(b, r.Left)
	}
	if has&hasUnenforced != 0 {
		b = appendTexts(b, r.Unenforced)
	}
	if has&hasFarBegin != 0 {
		b = appendFar(b, r.Start)
	}
	if has&hasFarEnd != 0 {
		b = appendFar(b, r.End)
	}
	return b
}

// resultsAtOnce is how many results are allocated together. Whoever keeps one
// keeps all of them, so they are not many.
const resultsAtOnce = 32

// newResult returns one of those that were allocated together: one at first, more
// when there turn out to be many.
func (d *Decoder) newResult() *executor.Result {
	if len(d.results) == 0 {
		d.atOnce = min(2*d.atOnce+1, resultsAtOnce)
		d.results = make([]executor.Result, d.atOnce)
	}
	r := &d.results[0]
	d.results = d.results[1:]
	return r
}

// result decodes what appendResult appends. Its times are told by base.
func (d *Decoder) result(s *source, base moment) *executor.Result {
	bits := s.uvarint()
	if bits >= uint64(pastResultPresence) {
		s.fail("a result has parts that are not known")
		return nil
	}
	r, has := d.newResult(), resultPresence(bits)
	b, i := s.b, 0
	var code, begin, end, user, system int64
	if has&hasExitCode != 0 {
		code, i = varintAt(b, i)
	}
	if has&hasBegin != 0 {
		begin, i = varintAt(b, i)
		r.Start = base.before(begin)
	}
	if has&hasEnd != 0 {
		end, i = varintAt(b, i)
		r.End = base.before(end)
	}
	if has&hasUserCPU != 0 {
		user, i = varintAt(b, i)
	}
	if has&hasSystemCPU != 0 {
		system, i = varintAt(b, i)
	}
	if has&hasMaxRSS != 0 {
		r.MaxRSS, i = varintAt(b, i)
	}
	s.skip(i)
	r.ExitCode = s.fit(code)
	r.UserCPU, r.SystemCPU = time.Duration(user), time.Duration(system)
	if has&hasPlace != 0 {
		r.Node = s.repeated(&d.node)
	}
	if has >= hasSignal {
		d.rareResult(s, has, r)
	}
	return r
}

func (d *Decoder) rareResult(s *source, has resultPresence, r *executor.Result) {
	if has&hasSignal != 0 {
		r.Signal = s.repeated(&d.signal)
	}
	if has&hasCause != 0 {
		r.Cause = executor.Cause(s.repeated(&d.cause))
	}
	if has&hasMessage != 0 {
		r.Message = s.repeated(&d.message)
	}
	if has&hasLeft != 0 {
		r.Left = s.repeatedTexts(&d.left)
	}
	if has&hasUnenforced != 0 {
		r.Unenforced = s.repeatedTexts(&d.unenforced)
	}
	if has&hasFarBegin != 0 {
		r.Start = s.far()
	}
	if has&hasFarEnd != 0 {
		r.End = s.far()
	}
}
