package runner

import (
	"context"
	"strconv"
	"strings"
)

// arena is where a worker gets, many at a time, what every attempt needs one of
// and user code may keep, so that it cannot be used again.
type arena struct {
	contexts []attemptContext
	keys     strings.Builder
	crowd    int // see meet
}

const (
	contextsAtOnce = 32
	keysAtOnce     = 2 << 10 // bytes
)

func (m *arena) context(parent *context.Context) *attemptContext {
	if len(m.contexts) == 0 {
		m.contexts = make([]attemptContext, contextsAtOnce)
	}
	c := &m.contexts[0]
	m.contexts = m.contexts[1:]
	c.parent = parent
	return c
}

// key returns the key of an attempt.
func (m *arena) key(prefix string, task, instance, number int) string {
	var room [64]byte
	b := appendKey(room[:0], prefix, task, instance, number)
	if m.keys.Cap()-m.keys.Len() < len(b) {
		// The keys made so far keep the memory they are in.
		m.keys = strings.Builder{}
		m.keys.Grow(keysAtOnce)
	}
	from := m.keys.Len()
	m.keys.Write(b)
	return m.keys.String()[from:]
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
