package fork

import (
	"context"
	"os"
)

// A delivery writes an output that a supervisor keeps, each byte once.
type delivery struct {
	output
	path string // where it is if it is long
	done int64  // so much is written
	from *os.File
}

// add hands on what was not before.
func (d *delivery) add(offset int64, data []byte) {
	if skip := d.done - offset; skip < int64(len(data)) && skip >= 0 {
		d.put(data[skip:])
		d.done = offset + int64(len(data))
	}
}

// read hands on what is in the file, up to a size, unless the engine lets go.
func (d *delivery) read(ctx context.Context, size int64) {
	if d.done >= size || d.err != nil {
		return
	}
	if d.from == nil {
		if d.from, d.err = os.Open(d.path); d.err != nil {
			return
		}
	}
	buf := make([]byte, min(bufferSize, size-d.done))
	for d.done < size && d.err == nil && !detached(ctx) {
		n, err := d.from.ReadAt(buf[:min(int64(len(buf)), size-d.done)], d.done)
		d.done += int64(n)
		if n > 0 {
			d.put(buf[:n])
		}
		if err != nil && d.err == nil {
			d.err = err
		}
	}
}

func (d *delivery) close() {
	if d.from != nil {
		_ = d.from.Close()
	}
}
