package executor

import "fmt"

// A PanicError is a Go panic in a function or in an executor, which fails the
// attempt (R4). The attempt may be retried.
//
// It does not unwrap to Value, even if that is an error: a panic is always a
// failure of the task, also one whose value happens to be a [LostError].
type PanicError struct {
	// Value is what was passed to panic. Nil: the function called
	// [runtime.Goexit], as [testing.T.FailNow] does.
	Value any
	// Stack is that of the goroutine which panicked.
	Stack []byte
}

// Error says what the value was. The stack is not in it.
func (e *PanicError) Error() string {
	if e.Value == nil {
		return "runtime.Goexit was called"
	}
	return fmt.Sprintf("panic: %v", e.Value)
}
