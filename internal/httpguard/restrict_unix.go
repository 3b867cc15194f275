//go:build unix

package httpguard

import "syscall"

// restrict gives a socket its mode before it has a name, so that nobody connects
// in between. Linux heeds that.
func restrict(network, _ string, c syscall.RawConn) error {
	if network != "unix" {
		return nil
	}
	return c.Control(func(fd uintptr) {
		_ = syscall.Fchmod(int(fd), socketMode) // elsewhere the mode is set later
	})
}
