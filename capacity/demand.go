package capacity

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A demand is a request made ready for a ledger: checked, sorted by name and
// with names resolved to columns, once instead of at every question.
//
// What it asks for never changes. The rest is guarded by the Allocator it was
// made for, so whoever does not hold its lock must not copy a whole need.
type demand struct {
	needs []need // sorted by name, amounts above 0
	key   string // equal for equal demands; made when first needed

	// The following hold as long as asOf is the ledger's era.
	asOf     uint64
	possible bool // some node that takes work is big enough
}

// A need is what a demand asks of one resource.
type need struct {
	name    string
	amount  int64
	column  int   // in the ledger; -1: no node has ever had any
	largest int64 // largest total on a node that takes work, see demand.asOf
}

func newDemand(req Resources) (*demand, error) {
	needed, err := Demand(req)
	if err != nil {
		return nil, err
	}
	d := &demand{needs: make([]need, 0, len(needed))}
	for name, amount := range needed {
		d.needs = append(d.needs, need{name: name, amount: amount, column: -1})
	}
	slices.SortFunc(d.needs, func(a, b need) int { return cmp.Compare(a.name, b.name) })
	return d, nil
}

// asks reports whether d is what newDemand makes of req. It may say no to an
// equal one that spells out zeros.
func (d *demand) asks(req Resources) bool {
	if len(req) != len(d.needs) {
		return false
	}
	for i := range d.needs {
		if req[d.needs[i].name] != d.needs[i].amount {
			return false
		}
	}
	return true
}

func (d *demand) amount(column int) int64 {
	for i := range d.needs {
		if d.needs[i].column == column {
			return d.needs[i].amount
		}
	}
	return 0
}

func (d *demand) resources() Resources {
	r := make(Resources, len(d.needs))
	for i := range d.needs {
		r[d.needs[i].name] = d.needs[i].amount
	}
	return r
}

// identity returns the same text for equal demands only.
func (d *demand) identity() string {
	if d.key == "" {
		var b []byte
		for i := range d.needs {
			b = strconv.AppendQuote(b, d.needs[i].name)
			b = strconv.AppendInt(b, d.needs[i].amount, 10)
		}
		d.key = "=" + string(b)
	}
	return d.key
}

// String lists the amounts as a sentence does: "2 cores and 512 memoryMB".
func (d *demand) String() string {
	if len(d.needs) == 0 {
		return "nothing"
	}
	var b strings.Builder
	for i := range d.needs {
		switch {
		case i > 0 && i == len(d.needs)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatInt(d.needs[i].amount, 10))
		b.WriteByte(' ')
		b.WriteString(d.needs[i].name)
	}
	return b.String()
}
