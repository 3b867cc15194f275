package agent

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// An output is one of an attempt: in memory as long as it is short, and then in a
// file.
type output struct {
	owner *call // nil: nothing is written any more

	mu   sync.Mutex // guards the following
	path string     // of the file, once there may be one
	mem  []byte
	file *os.File
	size int64
	over bool  // nothing is written any more
	err  error // what could not be written, and so is missing
}

// outputs are those of an attempt: stdout and stderr. One that nobody wants is empty.
type outputs [2]output

// outputName is the name of the file of an output. Keys are safe in names.
func outputName(key string, stream int) string { return key + "." + strconv.Itoa(stream+1) }

// Write appends to the output.
func (o *output) Write(p []byte) (int, error) {
	n, err := o.write(p)
	if n > 0 {
		o.owner.agent.grew(o.owner.at)
	}
	return n, err
}

func (o *output) write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.over:
		return 0, os.ErrClosed // a writer that an attempt left behind
	case o.err != nil:
		return 0, o.err // there would be a gap
	}
	if o.file == nil && o.size+int64(len(p)) <= wire.MaxInline {
		o.mem = append(o.mem, p...)
		o.size += int64(len(p))
		return len(p), nil
	}
	if o.file == nil {
		if o.err = o.spill(); o.err != nil {
			return 0, o.err
		}
	}
	n, err := o.file.WriteAt(p, o.size)
	o.size += int64(n)
	o.err = err
	return n, err
}

// spill begins the file with what is in memory.
func (o *output) spill() error {
	const flags = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	stream := 0
	if o == &o.owner.outputs[1] {
		stream = 1
	}
	o.path = outputPath(o.owner.agent.dir, o.owner.at.key, stream)
	f, err := os.OpenFile(o.path, flags, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(o.mem, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	o.file, o.mem = f, nil
	return nil
}

// finish ends the output. With sync, what is in a file is on the disk afterwards. The
// error says that some of it is missing, or may be.
func (o *output) finish(sync bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	if o.file == nil {
		return o.err
	}
	err := o.err
	if sync && err == nil {
		err = o.file.Sync()
	}
	err = errors.Join(err, o.file.Close())
	o.file = nil
	return err
}

func (o *output) length() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.size
}

// inline returns all of an output that has ended, if it is in memory.
func (o *output) inline() ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mem, int64(len(o.mem)) == o.size
}

// filed returns the path of the file, "" if there is none.
func (o *output) filed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.path
}

// open returns what there is of the output now. Memory is only ever appended to.
func (o *output) open() (io.ReaderAt, int64, func() error, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if int64(len(o.mem)) == o.size {
		return bytes.NewReader(o.mem), o.size, func() error { return nil }, nil
	}
	f, err := os.Open(o.path)
	if err != nil {
		return nil, 0, nil, err
	}
	return f, o.size, f.Close, nil
}
