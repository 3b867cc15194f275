package wire

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/executor"
)

// A Failure is an error that keeps its class on the way.
type Failure struct {
	// Class is Failed, Lost, TimeLimit or Panicked.
	Class     string `json:"class"`
	Permanent bool   `json:"permanent,omitempty"`
	Text      string `json:"text"`
	Stack     string `json:"stack,omitempty"`
}

func (w *writer) failure(f *Failure) {
	w.open()
	w.text("class", f.Class)
	w.bool("permanent", f.Permanent)
	w.name("text")
	w.b = appendString(w.b, f.Text)
	w.text("stack", f.Stack)
	w.close()
}

func (s *scanner) failure(f *Failure) {
	s.object("outcome.failure", func(name []byte) {
		switch string(name) {
		case "class":
			f.Class = s.text("outcome.failure.class")
		case "permanent":
			f.Permanent = s.bool("outcome.failure.permanent")
		case "text":
			f.Text = s.text("outcome.failure.text")
		case "stack":
			f.Stack = s.text("outcome.failure.stack")
		default:
			s.unknown("outcome.failure", name)
		}
	})
}

// NewFailure says what an error of an executor means. It is nil for nil.
func NewFailure(err error) *Failure {
	if err == nil {
		return nil
	}
	f := &Failure{Class: Failed, Permanent: executor.IsPermanent(err), Text: err.Error()}
	if lost, ok := errors.AsType[*executor.LostError](err); ok {
		f.Class, f.Text = Lost, lost.Err.Error()
	} else if p, ok := errors.AsType[*executor.PanicError](err); ok {
		f.Class, f.Text, f.Stack = Panicked, fmt.Sprint(p.Value), string(p.Stack)
	} else if errors.Is(err, executor.ErrTimeLimit) {
		f.Class = TimeLimit
	}
	return f
}

// Err is the error that f was made of, as far as programs tell errors apart. It
// is nil for nil.
func (f *Failure) Err() error {
	if f == nil {
		return nil
	}
	var err error
	switch f.Class {
	case Lost:
		err = &executor.LostError{Err: errors.New(f.Text)}
	case Panicked:
		err = &executor.PanicError{Value: f.Text, Stack: []byte(f.Stack)}
	case TimeLimit:
		err = &timeLimitError{f.Text}
	default:
		err = errors.New(f.Text)
	}
	if f.Permanent {
		err = executor.Permanent(err)
	}
	return err
}

// timeLimitError is an error of another machine that was a time limit.
type timeLimitError struct{ text string }

func (e *timeLimitError) Error() string { return e.text }

func (e *timeLimitError) Unwrap() error { return executor.ErrTimeLimit }
