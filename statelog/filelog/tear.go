package filelog

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
)

// tear cuts off what begins at off, where a commit should be, if it can be the
// last commit, of which any part was written: then nothing follows it, since a
// commit begins when the one before is on the disk. next is its number.
func (ld *loading) tear(s *segment, off int64, next uint64) error {
	tail := make([]byte, s.end-off)
	if _, err := s.file.ReadAt(tail, off); err != nil {
		return err
	}
	if at := follows(tail, s.salt, next); at > 0 {
		return ld.damage(s, off, fmt.Errorf("a commit is damaged, another follows at byte %d",
			off+int64(at)))
	}
	name := fmt.Sprintf("%08d.seg.%d.torn", s.number, off)
	if err := ld.keep(name, tail); err != nil {
		return fmt.Errorf("keep what is cut off %s: %w", s.name(), err)
	}
	if err := s.file.Truncate(off); err != nil {
		return err
	}
	if err := s.file.Sync(); err != nil {
		return err
	}
	s.end, s.size = off, off
	ld.last, ld.next = s, next
	ld.found.Torn = &Torn{
		Path: ld.path(s.name()), Offset: off, Bytes: int64(len(tail)), Kept: ld.path(name),
	}
	ld.logger.Warn("the last commit was not written whole, it is cut off",
		slog.String("path", ld.path(s.name())), slog.Int64("offset", off),
		slog.Int("bytes", len(tail)), slog.String("kept", ld.path(name)))
	return nil
}

// follows returns where in b, the first byte aside, there is a commit, of that
// number or a later one; or 0.
func follows(b []byte, s salt, next uint64) int {
	for at := 1; at+frameHead <= len(b); at++ {
		size, number, sum, ok := s.head(b[at:])
		if !ok || number < next {
			continue
		}
		body := b[at+frameHead:]
		if size <= int64(len(body)) && s.sum(body[:size]) == sum {
			return at
		}
	}
	return 0
}

// keep writes a file of its own. One that is there was kept by an Open that was
// interrupted.
func (ld *loading) keep(name string, content []byte) error {
	temporary := fmt.Sprintf("%08d.seg.tmp", uint64(math.MaxUint64))
	_ = ld.fs.Remove(temporary)
	f, err := ld.fs.Create(temporary)
	if err != nil {
		return err
	}
	if _, err = f.WriteAt(content, 0); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := ld.fs.Rename(temporary, name); err != nil {
		return err
	}
	return ld.fs.SyncDir()
}

// tidy removes what was left behind by those who were interrupted.
func (ld *loading) tidy(files directoryFiles) error {
	for _, name := range files.temporary {
		if err := ld.fs.Remove(name); err != nil {
			return err
		}
	}
	for _, number := range files.sides {
		ld.nextSide = max(ld.nextSide, number+1)
		if ld.sides[number] {
			continue
		}
		if err := ld.fs.Remove(sideName(number)); err != nil {
			return err
		}
	}
	for number := range ld.sides {
		ld.nextSide = max(ld.nextSide, number+1)
	}
	return nil
}
