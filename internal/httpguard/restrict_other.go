//go:build !unix

package httpguard

import "syscall"

// restrict does nothing: here sockets have no mode.
func restrict(string, string, syscall.RawConn) error { return nil }
