package agent

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/boot"
)

// Sizes of batches.
const (
	batchBuffer = 256 << 10
	batchLines  = 1024
	// batchPatience is how long a request goes on without a line.
	batchPatience = 5 * time.Minute
)

// serveBatch answers POST /api/v1/tasks: what has arrived goes to the disk together,
// and is answered while more arrives.
func (a *Agent) serveBatch(w http.ResponseWriter, r *http.Request) {
	by, ok := a.callerOf(w, r)
	if !ok {
		return
	}
	rc := http.NewResponseController(w)
	// Otherwise the first answer would wait for the end of the request. What has no
	// connection cannot do it, and reads the request to its end first.
	_ = rc.EnableFullDuplex()
	w.Header()["Content-Type"] = typeNDJSON
	b := &batch{agent: a, rc: rc, by: by, in: bufio.NewReaderSize(r.Body, batchBuffer)}
	w.WriteHeader(http.StatusOK)
	if r.ContentLength < 0 {
		_ = rc.Flush() // it may wait for that
	}
	for more := true; more; {
		more = b.read()
		answers := b.answer()
		patiently(rc)
		if _, err := w.Write(answers); err != nil {
			return
		}
		if err := rc.Flush(); err != nil {
			return
		}
	}
}

// A batch is what is read of a request together.
type batch struct {
	agent   *Agent
	rc      *http.ResponseController
	by      caller
	in      *bufio.Reader
	line    int
	waiting []pending
	out     []byte
}

type pending struct {
	line int
	key  string
	v    verdict
}

// read takes all lines that have arrived, and waits for one if there is none. It
// reports whether there may be more.
func (b *batch) read() bool {
	b.waiting = b.waiting[:0]
	// What has no connection takes no deadline.
	_ = b.rc.SetReadDeadline(time.Now().Add(batchPatience))
	for len(b.waiting) < batchLines {
		line, err := b.next()
		if len(b.waiting) == 0 {
			b.by.now = boot.Since()
			if !b.by.known {
				b.by.heard = b.by.now
			}
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			b.line++
			b.take(line)
		}
		switch {
		case errors.Is(err, errLongLine):
			b.line++
			v := refused(http.StatusRequestEntityTooLarge, wire.CodeTooLarge, err.Error())
			b.waiting = append(b.waiting, pending{line: b.line, v: v})
			return false
		case err != nil:
			return false
		case !b.ready():
			// Another may be on its way.
			if runtime.Gosched(); !b.ready() {
				return true
			}
		}
	}
	return true
}

// ready reports whether another line is there already.
func (b *batch) ready() bool {
	there, _ := b.in.Peek(b.in.Buffered())
	return bytes.IndexByte(there, '\n') >= 0
}

var errLongLine = errors.New("the line is too long")

// next returns the next line. It is good until the next call.
func (b *batch) next() ([]byte, error) {
	line, err := b.in.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := bytes.Clone(line)
	for errors.Is(err, bufio.ErrBufferFull) {
		if len(long) > wire.MaxSubmission {
			return nil, errLongLine
		}
		line, err = b.in.ReadSlice('\n')
		long = append(long, line...)
	}
	if len(long) > wire.MaxSubmission {
		return nil, errLongLine
	}
	if errors.Is(err, io.EOF) {
		return long, io.EOF
	}
	return long, err
}

func (b *batch) take(line []byte) {
	sub, err := wire.ParseSubmission(line)
	p := pending{line: b.line, key: sub.Key}
	if err != nil {
		if wire.CheckKey(p.key) != nil {
			p.key = ""
		}
		p.v = malformed(err)
	} else {
		p.v = b.agent.submit(sub, b.by)
	}
	b.waiting = append(b.waiting, p)
}

// answer waits until all of it holds, and returns the answers.
func (b *batch) answer() []byte {
	b.out = b.out[:0]
	for i := range b.waiting {
		p := &b.waiting[i]
		v := b.agent.settle(p.v, b.by.session)
		ans := wire.Answer{Line: p.line, Key: p.key, Status: v.status, Problem: v.problem}
		b.out = ans.Append(b.out)
		*p = pending{}
	}
	return b.out
}
