package statelog

import (
	"encoding/binary"

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

// result decodes what appendResult appends.
func (d *decoder) result(base int64) *executor.Result {
	bits := d.uvarint()
	if bits >= uint64(pastResultPresence) {
		d.fail("a result has parts that are not known")
		return nil
	}
	has := resultPresence(bits)
	r := new(executor.Result)
	if has&hasExitCode != 0 {
		r.ExitCode = d.int()
	}
	if has&hasBegin != 0 {
		r.Start = d.near(base)
	}
	if has&hasEnd != 0 {
		r.End = d.near(base)
	}
	if has&hasUserCPU != 0 {
		r.UserCPU = d.duration()
	}
	if has&hasSystemCPU != 0 {
		r.SystemCPU = d.duration()
	}
	if has&hasMaxRSS != 0 {
		r.MaxRSS = d.varint()
	}
	if has&hasPlace != 0 {
		r.Node = d.text(d.node)
	}
	if has >= hasSignal {
		d.rareResult(has, r)
	}
	return r
}

func (d *decoder) rareResult(has resultPresence, r *executor.Result) {
	if has&hasSignal != 0 {
		r.Signal = d.text("")
	}
	if has&hasCause != 0 {
		r.Cause = executor.Cause(d.text(""))
	}
	if has&hasMessage != 0 {
		r.Message = d.text("")
	}
	if has&hasLeft != 0 {
		r.Left = d.texts()
	}
	if has&hasUnenforced != 0 {
		r.Unenforced = d.texts()
	}
	if has&hasFarBegin != 0 {
		r.Start = d.far()
	}
	if has&hasFarEnd != 0 {
		r.End = d.far()
	}
}
