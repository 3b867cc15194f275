package main

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// An entry is a file of the machine.
type entry struct {
	name string
	mode uint32
	data []byte // of a link: where it leads
}

// Modes of entries.
const (
	directory  = 0o040755
	regular    = 0o100644
	executable = 0o100755
	symlink    = 0o120777
)

// writeArchive writes the files as the kernel unpacks them: a cpio archive of the "newc"
// format.
func writeArchive(path string, entries []entry) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffer := bufio.NewWriter(f)
	packed, err := gzip.NewWriterLevel(buffer, gzip.BestSpeed)
	if err != nil {
		return err
	}
	for i, e := range append(entries, entry{name: "TRAILER!!!"}) {
		if err := e.write(packed, i+1); err != nil {
			return err
		}
	}
	return errors.Join(packed.Close(), buffer.Flush())
}

func (e entry) write(w io.Writer, inode int) error {
	const links = 1
	header := "070701"
	for _, field := range []uint32{
		uint32(inode), e.mode, 0, 0, links, 0, uint32(len(e.data)), 0, 0, 0, 0,
		uint32(len(e.name) + 1), 0,
	} {
		header += fmt.Sprintf("%08X", field)
	}
	header += e.name + "\x00"
	_, err := io.WriteString(w, header+padding(len(header)))
	if err == nil {
		_, err = w.Write(e.data)
	}
	if err == nil {
		_, err = io.WriteString(w, padding(len(e.data)))
	}
	return err
}

// padding is what comes behind n bytes, as everything begins at a multiple of four.
func padding(n int) string { return strings.Repeat("\x00", -n&3) }
