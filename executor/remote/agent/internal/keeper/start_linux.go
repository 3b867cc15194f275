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

// A Keeper is the daemon's end. It is safe for concurrent use. What it is told goes
// through a queue, in order, so that nobody waits but in [Keeper.Sync].
type Keeper struct {
	id    string
	pipe  *os.File // to it
	alive *os.File // is at its end when the keeper is

	writing, watching sync.WaitGroup // a goroutine each

	mu     sync.Mutex // guards the following
	lines  []byte     // not written yet
	told   uint64     // bytes ever in lines
	said   uint64     // bytes ever written
	news   sync.Cond  // one of these has changed
	closed bool
	gone   error // it missed something, or is not there any more
}

const (
	// patience is how long writing may take. The pipe has room for thousands of
	// lines, so it is full only if the keeper stands still.
	patience = time.Second
	// pipeSize is asked for and need not be had.
	pipeSize = 1 << 20
	// fileName has the name of the keeper that is in charge, in the directory.
	fileName = "keeper"
)

// Start starts a keeper for the commands of the fork executor with that directory.
// Until TakeOver the keeper of the daemon before this one stays in charge too.
func Start(dir string, grace time.Duration) (*Keeper, error) {
	theirs, pipe, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("keeper: %w", err)
	}
	defer func() { _ = theirs.Close() }()
	enlarge(pipe)
	alive, life, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), pipe.Close())
	}
	defer func() { _ = life.Close() }()
	k := &Keeper{id: strings.ToLower(rand.Text()), pipe: pipe, alive: alive}
	k.news.L = &k.mu
	command := stage(stageLaunch, dir, grace.String(), k.id)
	command.Stdin, command.ExtraFiles = theirs, []*os.File{life}
	if err := command.Run(); err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), pipe.Close(), alive.Close())
	}
	k.watching.Go(k.watch)
	k.writing.Go(k.write)
	return k, nil
}

// enlarge is for the rare moment in which the keeper is slower than the daemon.
func enlarge(pipe *os.File) {
	if raw, err := pipe.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize)
		})
	}
}

// stage is this program, to be started again as a keeper, or to launch one.
func stage(name string, args ...string) *exec.Cmd {
	command := exec.Command("/proc/self/exe", append([]string{word}, args...)...)
	command.Args[0], command.Dir = os.Args[0], "/"
	command.Env = append(slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "DAGGY_")
	}), variable+"="+name)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command
}

// TakeOver puts the keeper in charge of the directory, once it has been told of all
// leases that go on from the daemon before this one. The keeper of that one ends.
func (k *Keeper) TakeOver(dir string) error {
	path := filepath.Join(dir, fileName)
	if err := os.WriteFile(path+".new", []byte(k.id), 0o600); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return nil
}

// errGone: there is no keeper any more, or it stands still.
var errGone = errors.New("keeper: it is gone")

// Watch has a lease kept. contact is when it began, since the machine was booted. The
// attempt may be started after [Keeper.Sync].
func (k *Keeper) Watch(key, session string, length, contact time.Duration) {
	k.say(watchLine(key, lease{session: session, length: length, contact: contact}))
}

// Hear has all leases of a session counted from then.
func (k *Keeper) Hear(session string, contact time.Duration) { k.say(hearLine(session, contact)) }

// Done ends the keeping of a lease, because its attempt has ended.
func (k *Keeper) Done(key string) { k.say(doneLine(key)) }

// Sync waits until the keeper has got everything that it was told before. An error
// means that it is gone.
func (k *Keeper) Sync() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for told := k.told; k.said < told && k.gone == nil; {
		k.news.Wait()
	}
	return k.gone
}

// Alive reports whether leases are kept.
func (k *Keeper) Alive() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.gone == nil && !k.closed
}

// Wait returns when the keeper is gone, and why. After Close it returns soon.
func (k *Keeper) Wait() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for k.gone == nil && !k.closed {
		k.news.Wait()
	}
	return k.gone
}

// Close lets go of the keeper, which goes on for as long as there are leases. What it
// was told before still reaches it.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.closed = true
	k.news.Broadcast()
	k.mu.Unlock()
	k.writing.Wait()
	_ = k.alive.Close()
	k.watching.Wait()
}

// watch is the goroutine that waits for the end of the keeper.
func (k *Keeper) watch() {
	_, err := k.alive.Read(make([]byte, 1))
	k.fail(fmt.Errorf("%w: %w", errGone, err))
}

func (k *Keeper) say(line string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone != nil || k.closed {
		return
	}
	k.lines = append(k.lines, line...)
	k.told += uint64(len(line))
	k.news.Broadcast()
}

func (k *Keeper) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone == nil {
		k.gone, k.lines = err, nil
	}
	k.news.Broadcast()
}

// write is the goroutine that writes what there is. If something cannot be written it
// hangs up: a keeper that has missed something would end what has been renewed, and
// what it ends later than that is on the safe side.
func (k *Keeper) write() {
	defer func() { _ = k.pipe.Close() }()
	for {
		lines := k.take()
		if lines == nil {
			return
		}
		err := k.pipe.SetWriteDeadline(time.Now().Add(patience))
		if err == nil {
			_, err = k.pipe.Write(lines)
		}
		if err != nil {
			k.fail(fmt.Errorf("%w: %w", errGone, err))
			return
		}
		k.mu.Lock()
		k.said += uint64(len(lines))
		k.news.Broadcast()
		k.mu.Unlock()
	}
}

// take waits for lines and takes them all. Nil: it is over.
func (k *Keeper) take() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.lines) == 0 && k.gone == nil && !k.closed {
		k.news.Wait()
	}
	lines := k.lines
	k.lines = nil
	return lines
}
