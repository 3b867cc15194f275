package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// tryWrite writes as much as can be written without waiting.
func tryWrite(conn net.Conn, b []byte) (n int) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	// An error here will be met again by whoever writes the rest.
	_ = raw.Write(func(fd uintptr) bool {
		n, _ = unix.Write(int(fd), b)
		return true
	})
	return max(n, 0)
}
