package executor

import "fmt"

// A PanicError is a Go panic in a function or in an executor, or a call of
// [runtime.Goexit] there. It fails the attempt, which may be retried (R4).
//
// It does not unwrap to Value, even if that is an error: a panic is always a
// failure of the task, also one whose value happens to be a [LostError].
type PanicError struct {
	// Value is what was passed to panic. For a Goexit it is a text that says so.
	Value any
	// Stack is that of the goroutine which panicked, as [runtime/debug.Stack]
	// returns it.
	Stack []byte
}

// Error says what the value was. The stack is not in it.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
