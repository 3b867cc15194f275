package fork

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// helloTime is how long the other side may take to say hello.
const helloTime = 10 * time.Second

// checkPeer refuses processes of other users.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, peerErr); err != nil {
		return err
	}
	if int(peer.Uid) != os.Geteuid() {
		return fmt.Errorf("process %d belongs to user %d", peer.Pid, peer.Uid)
	}
	return nil
}

// greetPeer says hello, and listens to what the other side says.
func greetPeer(conn *net.UnixConn) error {
	if err := conn.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return err
	}
	own := wire.Hello{Version: wire.Version, PID: uint32(os.Getpid())}
	// One of another version may have said hello and gone already.
	_, writeErr := conn.Write(own.Append(nil))
	peer, err := wire.ReadHello(conn)
	if err != nil {
		return errors.Join(writeErr, err)
	}
	if peer.Version != own.Version {
		return &versionError{pid: peer.PID, theirs: peer.Version}
	}
	return errors.Join(writeErr, conn.SetDeadline(time.Time{}))
}

// versionError says that the two sides are of different versions.
type versionError struct{ pid, theirs uint32 }

func (e *versionError) Error() string {
	return fmt.Sprintf("process %d speaks version %d of the protocol, and this one version %d",
		e.pid, e.theirs, wire.Version)
}
