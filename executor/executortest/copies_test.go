package executortest

import (
	"io"
	"sync"
)

// copies are the goroutines that bring the output of an entry to the writers of
// one call of Run.
type copies struct {
	leave func() // ends them although there is more to come
	wg    sync.WaitGroup
}

func (e *entry) copyTo(stdout, stderr io.Writer, fromNow bool) *copies {
	left := make(chan struct{})
	c := &copies{leave: sync.OnceFunc(func() { close(left) })}
	for t, w := range map[*tape]io.Writer{e.stdout: stdout, e.stderr: stderr} {
		var offset int64
		if fromNow {
			offset, _, _ = t.state()
		}
		c.wg.Go(func() { t.copyTo(w, offset, left) })
	}
	return c
}

// finish waits for them.
func (c *copies) finish() { c.wg.Wait() }

func (t *tape) copyTo(w io.Writer, offset int64, left <-chan struct{}) {
	piece := make([]byte, 8<<10)
	for {
		size, over, grown := t.state()
		for offset < size {
			n, err := t.file.ReadAt(piece[:min(int64(len(piece)), size-offset)], offset)
			if err != nil {
				return
			}
			if _, err := w.Write(piece[:n]); err != nil {
				return
			}
			offset += int64(n)
		}
		if over {
			return
		}
		select {
		case <-grown:
		case <-left:
			return
		}
	}
}
