package invocation

import "io"

// Joined reports whether the two outputs of a command are one writer, which then
// gets both in the order in which they were written. Writers that cannot be
// compared are not.
func Joined(stdout, stderr io.Writer) (yes bool) {
	defer func() { _ = recover() }()
	return stdout == stderr
}
