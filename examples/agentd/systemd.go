package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// firstDescriptor is that of the first socket that systemd hands over.
const firstDescriptor = 3

// systemd is what started this process, if it was that.
type systemd struct {
	notify string       // where it wants to hear of us; "": it does not
	socket net.Listener // that it has opened; nil: none
}

// fromSystemd reads what systemd says in the environment, and takes it away from
// there: it is not for the processes that are started from here.
func fromSystemd() (*systemd, error) {
	s := &systemd{notify: os.Getenv("NOTIFY_SOCKET")}
	pid, fds := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if pid != strconv.Itoa(os.Getpid()) || fds == "" {
		return s, nil
	}
	if fds != "1" {
		return nil, fmt.Errorf("systemd hands over %s sockets: want one, so write one "+
			"ListenStream in the socket unit", fds)
	}
	f := os.NewFile(firstDescriptor, "systemd")
	l, err := net.FileListener(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("the socket of systemd: %w", err)
	}
	s.socket = l
	return s, nil
}

func (s *systemd) close() error {
	if s.socket == nil {
		return nil
	}
	return s.socket.Close()
}

// say tells systemd of the state of the daemon. That it does not listen is its own
// trouble.
func (s *systemd) say(state string) {
	if s.notify == "" {
		return
	}
	conn, err := net.Dial("unixgram", s.notify)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = conn.Write([]byte(state))
}
