package journal

import (
	"encoding/binary"
	"hash/crc32"
)

// Header is the header of a journal of a version.
func Header(version uint32) []byte {
	b := appendHeader(nil)
	binary.LittleEndian.PutUint32(b[len(magic):], version)
	sum := crc32.Checksum(b[:len(magic)+4], castagnoli)
	binary.LittleEndian.PutUint32(b[len(magic)+4:], sum)
	return b
}
