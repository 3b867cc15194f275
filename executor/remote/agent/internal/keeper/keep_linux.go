package keeper

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/boot"
)

// A keeper is known by its first argument and by a variable, like the supervisor of
// package fork.
const (
	word        = "daggy-lease-keeper"
	variable    = "DAGGY_LEASE_KEEPER"
	stageLaunch = "launch" // start the keeper and exit, so that it is nobody's child
	stageKeep   = "keep"
	// lifeDescriptor is open for as long as the keeper lives.
	lifeDescriptor = 3
)

// init turns this process into a keeper if it was started to be one.
func init() {
	if len(os.Args) != 5 || os.Args[1] != word {
		return
	}
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	_ = os.Unsetenv(variable)
	life := os.NewFile(lifeDescriptor, "life")
	grace, err := time.ParseDuration(os.Args[3])
	switch {
	case err != nil:
	case name == stageLaunch:
		err = launch(life)
	default:
		// Neither the supervisor nor commands may have it.
		unix.CloseOnExec(lifeDescriptor)
		keep(os.Args[2], grace, os.Args[4])
	}
	if err != nil {
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

// launch starts the keeper. Nothing that this process has inherited is handed on, as with
// the supervisor.
func launch(life *os.File) error {
	const first = lifeDescriptor + 1
	// With a kernel before 5.11 it keeps more open than it needs.
	_ = unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	command := stage(stageKeep, os.Args[2:]...)
	command.Stdin, command.ExtraFiles = os.Stdin, []*os.File{life}
	return command.Start()
}

// A guard is the keeper's end.
type guard struct {
	dir, id  string
	executor *fork.Executor
	stopping sync.WaitGroup

	mu     sync.Mutex // guards the following
	book   *book
	orphan bool // the daemon is gone
}

// often is how long the keeper does not look at the clock at most.
const often = time.Second

// keep ends what is over, for as long as it is needed.
func keep(dir string, grace time.Duration, id string) {
	g := &guard{dir: dir, id: id, book: newBook(), executor: fork.New(fork.Config{
		Dir: dir, Grace: grace, Allocator: &capacity.Allocator{},
	})}
	news := make(chan struct{}, 1)
	go g.listen(os.Stdin, news)
	timer := time.NewTimer(often)
	for !g.needless() {
		select {
		case <-news:
		case <-timer.C:
		}
		timer.Reset(g.endOver(boot.Since()))
	}
	g.stopping.Wait()
}

// listen takes what the daemon says until it is gone.
func (g *guard) listen(from io.Reader, news chan<- struct{}) {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		g.mu.Lock()
		g.book.take(lines.Text())
		g.mu.Unlock()
	}
	g.mu.Lock()
	g.orphan = true
	g.mu.Unlock()
	news <- struct{}{}
}

// needless reports whether the daemon is gone and so are its leases, or another
// keeper is in charge of them.
func (g *guard) needless() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.orphan && (len(g.book.leases) == 0 || g.relieved())
}

// relieved reports whether there is nothing to be done here any more: another keeper
// is in charge, or nobody is, because the directory was removed. Without it nobody is to
// be reached, and a new one would only be left behind. There are no leases before a
// keeper is in charge.
func (g *guard) relieved() bool {
	id, err := os.ReadFile(filepath.Join(g.dir, fileName))
	return errors.Is(err, os.ErrNotExist) || err == nil && string(id) != g.id
}

// endOver ends what is over now, and returns how long to wait.
func (g *guard) endOver(now time.Duration) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	keys, next := g.book.over(now)
	for _, key := range keys {
		g.stopping.Go(func() { g.end(key) })
	}
	if next == 0 {
		return often
	}
	// It may be renewed meanwhile, which does not wake anybody.
	return min(often, max(next-now, time.Millisecond))
}

var errOver = errors.New("its lease is over")

// end closes a key, so that what runs under it is stopped, and tries until it is.
func (g *guard) end(key string) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errOver)
	pause := time.NewTimer(0)
	for {
		<-pause.C
		switch relieved := g.relieved(); {
		case relieved && g.orphaned():
			return
		case relieved: // or not in charge yet
		default:
			if g.close(ctx, key) {
				return
			}
		}
		pause.Reset(often)
	}
}

// close reports whether nothing runs under a key, nor ever will. If not, the supervisor
// could not be reached.
func (g *guard) close(ctx context.Context, key string) bool {
	_, err := g.executor.Run(ctx, &executor.Attempt{
		Key: key, Resumed: true, Stdout: io.Discard, Stderr: io.Discard,
	})
	_, lost := errors.AsType[*executor.LostError](err)
	if err != nil && !lost && !errors.Is(err, errOver) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.book.done(key)
	return true
}

func (g *guard) orphaned() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.orphan
}
