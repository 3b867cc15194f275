//go:build linux || darwin

package fork

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// A watch waits for a command and reads its output meanwhile. It is for one
// goroutine.
type watch interface {
	// exit returns when the command has exited. It does not reap it.
	exit()
	// drain is for after that. It reads on until the end of all outputs, which
	// it reports, or until the time given.
	drain(until time.Time) bool
	// close ends the reading. The outputs are still to be closed.
	close()
}

// copiers are a watch with a goroutine for each output and a thread for the
// command: what every system has. When the command has exited, a poller takes
// over.
type copiers struct {
	*poller
	running sync.WaitGroup
	ended   [2]bool // by output
}

func newCopiers(s *system, p *child) *copiers {
	w := &copiers{poller: newPoller(s, p)}
	for i, o := range p.outputs {
		o.file = os.NewFile(uintptr(o.fd), o.name)
		w.running.Go(func() { w.ended[i] = o.copy(&s.buffers) })
	}
	return w
}

func (w *copiers) exit() {
	awaitExit(w.p.pid)
	w.halt()
	for i, ended := range w.ended {
		if ended {
			w.end(i)
		}
	}
}

// halt returns when nothing is copied any more.
func (w *copiers) halt() {
	for _, o := range w.p.outputs {
		_ = o.file.SetReadDeadline(time.Unix(1, 0))
	}
	w.running.Wait()
}

func (w *copiers) close() {
	w.halt()
	w.poller.close()
}

// copy hands on what is read from the file, and reports whether it reached the
// end.
func (o *output) copy(buffers *sync.Pool) (end bool) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := o.file.Read(*buf)
		if n > 0 {
			o.put((*buf)[:n])
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
