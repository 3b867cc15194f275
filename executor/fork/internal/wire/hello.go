package wire

import (
	"encoding/binary"
	"fmt"
	"io"
)

// A Hello is what either side says first. It never changes, so that those of
// different versions can tell each other so.
type Hello struct {
	Version uint32
	PID     uint32
}

// magic starts a hello.
const magic = "daggyfk\x00"

// helloSize is the length of a hello.
const helloSize = len(magic) + 8

// Append appends h to b.
func (h Hello) Append(b []byte) []byte {
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, h.Version)
	return binary.LittleEndian.AppendUint32(b, h.PID)
}

// ReadHello reads what the other side says.
func ReadHello(r io.Reader) (Hello, error) {
	var b [helloSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Hello{}, err
	}
	if string(b[:len(magic)]) != magic {
		return Hello{}, fmt.Errorf("hello: %w", ErrMalformed)
	}
	return Hello{
		Version: binary.LittleEndian.Uint32(b[len(magic):]),
		PID:     binary.LittleEndian.Uint32(b[len(magic)+4:]),
	}, nil
}
