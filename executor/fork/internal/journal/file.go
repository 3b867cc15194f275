package journal

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// rewriteAt is the least size at which the file is written anew.
const rewriteAt = 4 << 20

// add appends a record. The caller holds mu.
func (j *Journal) add(k kind, body []byte) error {
	if j.err != nil && j.rewrite() != nil {
		return j.err
	}
	if len(body) >= maxRecord {
		return fmt.Errorf("%s: a record of %d bytes is too large", j.path(), len(body))
	}
	if j.size > max(rewriteAt, 4*j.after) {
		if err := j.rewrite(); err != nil {
			j.after = j.size // the old file will do for a while
		}
	}
	record := appendRecord(nil, k, body)
	if _, err := j.file.WriteAt(record, j.size); err != nil {
		// What was written of it must not be taken for the beginning of another.
		if cutErr := j.file.Truncate(j.size); cutErr != nil {
			j.err = fmt.Errorf("%s: cannot be written to any more: %w", j.path(), cutErr)
		}
		return err
	}
	j.size += int64(len(record))
	return nil
}

// rewrite writes a new file with nothing in it but what is known. The caller
// holds mu. On an error the old file is left as it is.
func (j *Journal) rewrite() error {
	path := filepath.Join(j.dir, Name+".new")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := &writer{w: bufio.NewWriter(f)}
	at, err := j.dump(w)
	if err == nil {
		err = replace(f, w, j.path())
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	if j.file != nil {
		_ = j.file.Close() // nothing is lost, it is replaced
	}
	j.file, j.size, j.after, j.err = f, w.size, w.size, nil
	clear(j.unsaved)
	for key, e := range at {
		j.entries[key].at, j.entries[key].unsaved = e, nil
	}
	return syncDir(j.dir)
}

// replace puts a new file in the place of another once it is on the disk.
func replace(f *os.File, w *writer, path string) error {
	if err := w.w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// dump writes all that is known, and returns where the outcomes are.
func (j *Journal) dump(w *writer) (map[string]extent, error) {
	if err := w.bytes(appendHeader(nil)); err != nil {
		return nil, err
	}
	if err := w.record(kindBoot, j.bootBody()); err != nil {
		return nil, err
	}
	err := j.used.Parts(func(part []byte, keys []string) error {
		if part == nil {
			return w.record(kindForgotten, wire.AppendStrings(nil, keys))
		}
		return w.record(kindUsed, part)
	})
	if err != nil {
		return nil, err
	}
	at := map[string]extent{}
	for _, key := range slices.Sorted(maps.Keys(j.entries)) {
		e := j.entries[key]
		if err := j.dumpEntry(w, key, e); err != nil {
			return nil, err
		}
		if e.State == Ended {
			size := w.last - recordHeader - 1 - len(wire.AppendString(nil, key))
			at[key] = extent{w.size - int64(size), size}
		}
	}
	return at, nil
}

func (j *Journal) dumpEntry(w *writer, key string, e *Entry) error {
	name := wire.AppendString(nil, key)
	switch e.State {
	case Claimed:
		if err := w.record(kindClaim, claimBody(key, e)); err != nil || e.Process.PID == 0 {
			return err
		}
		return w.record(kindStarted, startedBody(key, e.Process))
	case Lost:
		return w.record(kindLost, lostBody(key, e.Text))
	case Closed:
		return w.record(kindClosed, name)
	case Ended:
		body := name
		var err error
		if e.unsaved != nil {
			body = append(body, e.unsaved...)
		} else {
			body = append(body, make([]byte, e.at.size)...)
			_, err = j.file.ReadAt(body[len(name):], e.at.offset)
		}
		if err != nil {
			return err
		}
		return w.record(kindEnded, body)
	default:
		return nil
	}
}

// writer counts what it writes.
type writer struct {
	w    *bufio.Writer
	size int64
	last int // the size of the last record
}

func (w *writer) bytes(b []byte) error {
	n, err := w.w.Write(b)
	w.size += int64(n)
	return err
}

func (w *writer) record(k kind, body []byte) error {
	if len(body) >= maxRecord {
		return fmt.Errorf("a record of %d bytes is too large", len(body))
	}
	record := appendRecord(nil, k, body)
	w.last = len(record)
	return w.bytes(record)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
