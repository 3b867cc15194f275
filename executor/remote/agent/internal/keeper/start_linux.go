package keeper

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Keeper is the daemon's end. It is safe for concurrent use.
type Keeper struct {
	command *exec.Cmd
	exited  chan struct{}

	mu   sync.Mutex // guards the following, and is held while a line is written
	pipe *os.File   // nil: it is gone
}

const (
	// patience is how long a line may take to be written. The pipe has room for
	// thousands of lines, so it is full only if the keeper stands still.
	patience = time.Second
	// pipeSize is asked for and need not be had.
	pipeSize = 1 << 20
	// fileName has the name of the keeper that is in charge, in the directory.
	fileName = "keeper"
)

// Start starts a keeper for the commands of the fork executor with that directory.
// Until TakeOver the keeper of the daemon before this one stays in charge too.
func Start(dir string, grace time.Duration) (*Keeper, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	defer func() { _ = read.Close() }()
	if raw, err := write.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
		})
	}
	id := strings.ToLower(rand.Text())
	command := exec.Command("/proc/self/exe", word, dir, grace.String(), id)
	command.Args[0] = os.Args[0]
	command.Dir, command.Stdin = "/", read
	command.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "DAGGY_")
	}), variable+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), write.Close())
	}
	k := &Keeper{command: command, exited: make(chan struct{}), pipe: write}
	go func() {
		defer close(k.exited)
		_ = command.Wait()
	}()
	return k, nil
}

// TakeOver puts the keeper in charge of the directory, once it has been told of all
// leases that go on from the daemon before this one. The keeper of that one ends.
func (k *Keeper) TakeOver(dir string) error {
	id := k.command.Args[len(k.command.Args)-1]
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path+".new", []byte(id), 0o600); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return nil
}

// errGone: there is no keeper any more, or it stands still.
var errGone = errors.New("keeper: it is gone")

// Watch has a lease kept. When it has returned without an error, the attempt may be
// started. contact is when its lease began, since the machine was booted.
func (k *Keeper) Watch(key, session string, length, contact time.Duration) error {
	return k.say(watchLine(key, lease{session: session, length: length, contact: contact}))
}

// Hear has all leases of a session counted from then.
func (k *Keeper) Hear(session string, contact time.Duration) error {
	return k.say(hearLine(session, contact))
}

// Done ends the keeping of a lease, because its attempt has ended.
func (k *Keeper) Done(key string) error { return k.say(doneLine(key)) }

// Alive reports whether leases are kept.
func (k *Keeper) Alive() bool {
	select {
	case <-k.exited:
		return false
	default:
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pipe != nil
}

// Close lets go of the keeper, which goes on for as long as there are leases.
func (k *Keeper) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.hangUp()
}

func (k *Keeper) hangUp() {
	if k.pipe != nil {
		_ = k.pipe.Close()
		k.pipe = nil
	}
}

// say writes a line whole, or hangs up: a keeper that has missed something would end
// what has been renewed.
func (k *Keeper) say(line string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pipe == nil {
		return errGone
	}
	err := k.pipe.SetWriteDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = k.pipe.WriteString(line)
	}
	if err != nil {
		k.hangUp()
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}
