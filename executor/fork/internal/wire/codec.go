package wire

import (
	"encoding/binary"
	"errors"
)

// ErrMalformed says that bytes are not what they should be.
var ErrMalformed = errors.New("malformed")

// AppendUint appends a number, small ones in few bytes.
func AppendUint(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }

// AppendString appends a string and its length.
func AppendString(b []byte, s string) []byte {
	return append(AppendUint(b, uint64(len(s))), s...)
}

// AppendStrings appends a list and its length.
func AppendStrings(b []byte, list []string) []byte {
	b = AppendUint(b, uint64(len(list)))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

// AppendBool appends a byte.
func AppendBool(b []byte, yes bool) []byte {
	if yes {
		return append(b, 1)
	}
	return append(b, 0)
}

// A Decoder takes apart what the functions above have put together. After the
// first thing that is not there it returns zero values, and End an error.
type Decoder struct {
	rest []byte
	bad  bool
}

// NewDecoder returns a decoder of b, which it does not copy.
func NewDecoder(b []byte) *Decoder { return &Decoder{rest: b} }

// End returns an error unless everything was there and nothing is left.
func (d *Decoder) End() error {
	if d.bad || len(d.rest) > 0 {
		return ErrMalformed
	}
	return nil
}

// fail makes everything that follows zero.
func (d *Decoder) fail() {
	d.bad, d.rest = true, nil
}

// Uint returns a number.
func (d *Decoder) Uint() uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

// Size returns a number that does not exceed what a length can be.
func (d *Decoder) Size() int64 {
	const most = 1<<63 - 1
	n := d.Uint()
	if n > most {
		d.fail()
		return 0
	}
	return int64(n)
}

// Bytes returns a part of what is decoded, which is not copied.
func (d *Decoder) Bytes() []byte {
	n := d.Uint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

// String returns a copy.
func (d *Decoder) String() string { return string(d.Bytes()) }

// Strings returns a list. It is nil if it is empty.
func (d *Decoder) Strings() []string {
	n := d.Uint()
	// Each takes a byte at least, so that no length can make this allocate much.
	if n > uint64(len(d.rest)) {
		d.fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, d.String())
	}
	return list
}

// Bool returns a byte that is 0 or 1.
func (d *Decoder) Bool() bool {
	switch d.Byte() {
	case 0:
		return false
	case 1:
		return true
	}
	d.fail()
	return false
}

// Byte returns a byte.
func (d *Decoder) Byte() byte {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	c := d.rest[0]
	d.rest = d.rest[1:]
	return c
}

// Rest returns all that is left, which is not copied.
func (d *Decoder) Rest() []byte {
	b := d.rest
	d.rest = nil
	return b
}

// More reports whether anything is left.
func (d *Decoder) More() bool { return len(d.rest) > 0 }
