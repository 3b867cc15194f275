package filelog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/daggy-go/daggy/statelog"
)

// Config says how to keep a log. The zero Config is good.
type Config struct {
	// SegmentSize is how many bytes a file of records may have, give or take a
	// commit; Prune gives back the space of whole files. 0: 64 MiB.
	SegmentSize int64
	// Logger is told what was found in the directory that is not in order, and of
	// disks that fail. Nil: nobody is.
	Logger *slog.Logger
}

// A Log keeps the records of any number of runs in the files of a directory. It
// is safe for concurrent use.
type Log struct {
	dir         string
	fs          fileSystem
	segmentSize int64
	logger      *slog.Logger
	found       Found

	// mu guards the fields below. Nobody does I/O under it.
	mu       sync.Mutex
	runs     map[string]*run
	segments []*segment // by number
	// queue has the batches that wait for the next commit. committing: one of
	// those who wait is at it.
	queue      []*batch
	spare      []*batch // memory for the queue
	committing bool
	idle       sync.Cond // committing turned false
	closed     bool
	locks      map[string]*lockHolder
	dead       map[uint64]*deadRun
	nextSide   uint64
	garbage    garbage
	void       bool // a segment that came to nothing could not be removed

	// The committer's, whoever that is.
	current    *segment        // that is written to; nil: there is none yet
	opening    map[string]*run // of the commit under way
	admitted   []*batch
	nextRun    uint64
	nextCommit uint64
	lastNumber uint64 // of segments, those that came to nothing included
	dirty      bool   // something was committed since the log was opened
	buf        []byte

	unlock   func() error
	pruning  sync.Mutex // held by who prunes or closes
	sweeping sync.Mutex // held by who removes garbage or closes
	closing  sync.Once
	closeErr error
}

var (
	_ statelog.StateLogger = (*Log)(nil)
	_ statelog.Locker      = (*Log)(nil)
	_ statelog.Pruner      = (*Log)(nil)
)

// ErrClosed is what the methods of a log return after Close.
var ErrClosed = fmt.Errorf("filelog: the log is closed: %w", os.ErrClosed)

// Open opens the log in the directory, which it makes if there is none. It reads
// and checks all segments.
//
// It fails with [statelog.ErrActive] while another process, or another Log of
// this one, has the directory open; with a [*statelog.CorruptError] if anything
// is damaged but the very end, and with a [*VersionError] if a newer library has
// written to it.
func Open(ctx context.Context, dir string, c Config) (*Log, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("filelog: open %s: %w", dir, err)
	}
	fs, err := makeDirectory(path)
	if err != nil {
		return nil, fmt.Errorf("filelog: open %s: %w", dir, err)
	}
	return open(ctx, path, fs, c)
}

func open(ctx context.Context, dir string, fs fileSystem, c Config) (*Log, error) {
	if c.SegmentSize < 0 {
		return nil, fmt.Errorf("filelog: open %s: a segment of %d bytes", dir, c.SegmentSize)
	}
	lock, err := lock(ctx, fs)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("filelog: open %s: it is open already: %w", dir, statelog.ErrActive)
	}
	if err != nil {
		return nil, fmt.Errorf("filelog: open %s: %w", dir, err)
	}
	l := &Log{
		dir: dir, fs: fs, segmentSize: cmp.Or(c.SegmentSize, 64<<20),
		logger: cmp.Or(c.Logger, slog.New(slog.DiscardHandler)),
		runs:   map[string]*run{}, locks: map[string]*lockHolder{}, dead: map[uint64]*deadRun{},
		opening: map[string]*run{}, nextRun: 1, nextCommit: 1, nextSide: 1,
		unlock: lock.Close,
	}
	l.idle.L = &l.mu
	if err := l.load(ctx); err != nil {
		err = fmt.Errorf("filelog: open %s: %w", dir, err)
		return nil, errors.Join(err, l.closeFiles(), lock.Close())
	}
	return l, nil
}

// Dir returns the directory, as an absolute path.
func (l *Log) Dir() string { return l.dir }

func (l *Log) path(name string) string { return filepath.Join(l.dir, name) }

// Close waits for what is under way, Reads aside, and lets go of the directory. What
// was appended is durable without it. It may be called more than once, and
// returns the same error then.
func (l *Log) Close() error {
	l.closing.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}

func (l *Log) close() error {
	l.mu.Lock()
	for l.committing {
		l.idle.Wait()
	}
	l.closed = true
	l.mu.Unlock()
	// Files must not be removed any more when they may be another's.
	l.pruning.Lock()
	defer l.pruning.Unlock()
	l.sweeping.Lock()
	defer l.sweeping.Unlock()
	err := l.mark()
	return errors.Join(err, l.closeFiles(), l.unlock())
}

// mark ends the log with an empty commit: what is damaged before it was not being
// written when the engine went down.
func (l *Log) mark() error {
	if !l.dirty || l.current.poisoned {
		return nil
	}
	buf := l.assemble(l.current, nil, 0)
	if _, err := l.current.file.WriteAt(buf, l.current.end); err != nil {
		return err
	}
	l.current.end += int64(len(buf))
	return errors.Join(l.current.trim(), l.current.file.Sync())
}

func (l *Log) closeFiles() error {
	var errs []error
	for _, s := range l.segments {
		if s.file != nil {
			errs = append(errs, s.file.Close())
		}
	}
	return errors.Join(errs...)
}
