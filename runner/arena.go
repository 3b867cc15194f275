package runner

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/daggy-go/daggy/expand"
)

// arena is where a worker gets, many at a time, what every attempt needs one of
// and user code may keep, so that it cannot be used again.
type arena struct {
	contexts []attemptContext
	texts    strings.Builder // keys and names
	atOnce   int             // for so many attempts there was room the last time
	crowd    int             // see meet
}

const (
	maxAtOnce      = 32
	textsOfAttempt = 64 // bytes, about
	// short is what attempts take for which it matters what they cost.
	short = time.Millisecond
)

// took is told how long an attempt took. There is room for twice as many each
// time, but a worker whose attempts take long gets it for each: thousands may
// wait, and hold all that their worker has.
func (m *arena) took(d time.Duration) {
	if d > short {
		*m = arena{crowd: m.crowd}
	}
}

func (m *arena) context(parent *context.Context) *attemptContext {
	if len(m.contexts) == 0 {
		m.atOnce = min(max(1, 2*m.atOnce), maxAtOnce)
		m.contexts = make([]attemptContext, m.atOnce)
	}
	c := &m.contexts[0]
	m.contexts = m.contexts[1:]
	c.parent = parent
	return c
}

// key returns the key of an attempt.
func (m *arena) key(prefix string, task, instance, number int) string {
	var room [64]byte
	return m.text(appendKey(room[:0], prefix, task, instance, number))
}

// instanceName returns the name of an instance of a multiplied task.
func (m *arena) instanceName(task string, instance int) string {
	var room [64]byte
	return m.text(expand.AppendInstanceName(room[:0], task, instance))
}

func (m *arena) text(b []byte) string {
	if m.texts.Cap()-m.texts.Len() < len(b) {
		// The texts made so far keep the memory they are in.
		m.texts = strings.Builder{}
		m.texts.Grow(max(textsOfAttempt*m.atOnce, len(b)))
	}
	from := m.texts.Len()
	m.texts.Write(b)
	return m.texts.String()[from:]
}

// attemptKey returns the key of an attempt.
func attemptKey(prefix string, task, instance, number int) string {
	var room [64]byte
	return string(appendKey(room[:0], prefix, task, instance, number))
}

// appendKey appends the key of an attempt. It is unique for ever: the prefix is
// random for each run.
func appendKey(b []byte, prefix string, task, instance, number int) []byte {
	b = append(b, prefix...)
	b = strconv.AppendInt(append(b, '-'), int64(task), 10)
	if instance == 0 && number == 1 {
		return append(b, "-0-1"...) // as most are
	}
	b = strconv.AppendInt(append(b, '-'), int64(instance), 10)
	return strconv.AppendInt(append(b, '-'), int64(number), 10)
}
