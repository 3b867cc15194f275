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
// command: what every system has.
type copiers struct {
	p    *child
	done chan struct{} // closed at the end of all outputs
}

func newCopiers(s *system, p *child) *copiers {
	w := &copiers{p: p, done: make(chan struct{})}
	var running sync.WaitGroup
	for _, o := range p.outputs {
		o.file = os.NewFile(uintptr(o.fd), o.name)
		running.Go(func() { copyOutput(o, &s.buffers) })
	}
	go func() {
		running.Wait()
		close(w.done)
	}()
	return w
}

func copyOutput(o *output, buffers *sync.Pool) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := o.file.Read(*buf)
		if n > 0 {
			o.put((*buf)[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			o.err = err
			return
		}
	}
}

func (w *copiers) exit() { awaitExit(w.p.pid) }

func (w *copiers) drain(until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-w.done:
		return true
	case <-timer.C:
		return false
	}
}

func (w *copiers) close() {
	for _, o := range w.p.outputs {
		_ = o.file.SetReadDeadline(time.Unix(1, 0))
	}
	<-w.done
}
