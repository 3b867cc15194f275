package slurm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// A store is the directory that the engine and the jobs of one user share. It
// has files named after keys, by kind; FORMAT.md describes them.
type store struct {
	dir string
	uid int // who has to own the files. -1: whoever runs this process

	mu   sync.Mutex
	left map[string]int // by batch: keys with a file in jobs
}

// Kinds of files, each with a directory.
const (
	jobsDir    = "jobs"    // what a job is to run
	batchesDir = "batches" // the keys of an array
	claimsDir  = "claims"  // who has a key
	exitsDir   = "exits"   // reports
	stopsDir   = "stops"   // that an engine has asked a job to stop
	outputsDir = "outputs"
	tmpDir     = "tmp"
)

var kinds = []string{jobsDir, batchesDir, claimsDir, exitsDir, stopsDir, outputsDir, tmpDir}

const (
	formatFile = "format"
	formatText = "daggy-slurm 1\n"
)

// openStore makes the directory if it is not there.
func openStore(dir string, uid int) (*store, error) {
	s := &store{dir: dir, uid: uid, left: map[string]int{}}
	for _, kind := range kinds {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o700); err != nil {
			return nil, err
		}
		if err := s.own(filepath.Join(dir, kind)); err != nil {
			return nil, err
		}
	}
	if err := s.own(dir); err != nil {
		return nil, err
	}
	format := filepath.Join(dir, formatFile)
	b, err := os.ReadFile(format)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, s.write(format, []byte(formatText), true)
	case err != nil:
		return nil, err
	case string(b) != formatText:
		return nil, fmt.Errorf("%s has %.100q: it was made by another version; use another"+
			" directory", format, b)
	}
	return s, nil
}

// own gives a file to who runs the jobs.
func (s *store) own(path string) error {
	if s.uid < 0 {
		return nil
	}
	return os.Chown(path, s.uid, -1)
}

func (s *store) path(kind, name string) string { return filepath.Join(s.dir, kind, name) }

// write makes a file that is there as a whole or not at all. With sync it outlives
// a power cut once its directory is synced too.
func (s *store) write(path string, data []byte, sync bool) error {
	tmp, err := s.temporary(data, sync)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return nil
}

// create is write for a file that nobody reads yet and that shows by itself whether
// it is whole: one sync is enough for it and, on all file systems in use, for its
// name. If there is such a file already it is replaced.
func (s *store) create(path string, data []byte) error {
	err := s.fill(path, data, true)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return errors.Join(s.write(path, data, true), syncDir(filepath.Dir(path)))
}

// temporary makes a file in tmp that nobody else has.
func (s *store) temporary(data []byte, sync bool) (string, error) {
	path := s.path(tmpDir, "engine-"+strings.ToLower(rand.Text()))
	return path, s.fill(path, data, sync)
}

// fill makes a file that is not there.
func (s *store) fill(path string, data []byte, sync bool) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil && sync {
		err = f.Sync()
	}
	// A file server may only say now that there is no room.
	err = errors.Join(err, f.Close())
	if err == nil {
		err = s.own(path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// claim returns who has the key.
func (s *store) claim(key string) (evidence.Claim, error) {
	b, err := os.ReadFile(s.path(claimsDir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return evidence.Claim{}, nil
	}
	if err != nil {
		return evidence.Claim{}, err
	}
	return evidence.ParseClaim(b), nil
}

// take takes the key for the engine, durably, so that it never starts, unless
// somebody has it already. It returns who has it then.
func (s *store) take(key, engine string) (evidence.Claim, error) {
	tmp, err := s.temporary(evidence.EngineClaim(engine), true)
	if err != nil {
		return evidence.Claim{}, err
	}
	defer func() { _ = os.Remove(tmp) }() // it is only in the way
	path := s.path(claimsDir, key)
	err = os.Link(tmp, path)
	// The answer of a file server may have been lost: what counts is whose it is.
	mine, err1 := os.Lstat(tmp)
	there, err2 := os.Lstat(path)
	switch {
	case err1 == nil && err2 == nil && os.SameFile(mine, there):
		return evidence.Claim{Engine: true}, syncDir(filepath.Dir(path))
	case errors.Is(err, fs.ErrExist):
		return s.claim(key)
	}
	return evidence.Claim{}, errors.Join(err, err1, err2)
}

// report returns the report of the key, if there is a good one.
func (s *store) report(key string) (evidence.Report, bool, error) {
	b, err := os.ReadFile(s.path(exitsDir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return evidence.Report{}, false, nil
	}
	if err != nil {
		return evidence.Report{}, false, err
	}
	r, ok := evidence.ParseReport(b)
	return r, ok && r.Key == key, nil
}

// reported returns the keys that have a report.
func (s *store) reported() (map[string]struct{}, error) {
	d, err := os.Open(s.path(exitsDir, ""))
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	keys := make(map[string]struct{}, len(names))
	for _, name := range names {
		keys[name] = struct{}{}
	}
	return keys, errors.Join(err, d.Close())
}

// stop notes, before a job is asked to stop, that an engine does so, and why.
func (s *store) stop(key, why string) error {
	return s.write(s.path(stopsDir, key), []byte(why+"\n"), false)
}

// Why an engine stops a job.
const (
	stopAsked = "stopped"
	stopLimit = "time limit"
)

// stopped returns why an engine has asked the job to stop. "": none has.
func (s *store) stopped(key string) (string, error) {
	b, err := os.ReadFile(s.path(stopsDir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	why, _, _ := strings.Cut(string(b), "\n")
	if err == nil && why == "" {
		why = stopAsked
	}
	return why, err
}

// forget removes everything of the keys but their claims.
func (s *store) forget(ctx context.Context, keys []string) error {
	var errs []error
	for _, key := range keys {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		if !safe(key) {
			continue // it cannot be known
		}
		errs = append(errs, s.forgetOne(key))
	}
	return errors.Join(errs...)
}

func (s *store) forgetOne(key string) error {
	sp, known, err := s.spec(key)
	if err != nil || !known {
		return err
	}
	// Who has the key has to be settled, or it could start yet.
	claim, err := s.claim(key)
	if err == nil && claim.Free() {
		claim, err = s.take(key, "forgotten")
	}
	if err != nil {
		return err
	}
	var errs []error
	remove := func(path string) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, path := range []string{sp.stdout, sp.stderr} {
		if path != os.DevNull {
			remove(path)
		}
	}
	remove(s.path(exitsDir, key))
	remove(s.path(stopsDir, key))
	if claim.Known() {
		for restart := range 2 {
			remove(s.path(tmpDir, key+"."+claim.ID+"."+strconv.Itoa(restart)))
		}
	}
	// Last, as it says where the others are.
	remove(s.path(jobsDir, key))
	if sp.batch != "" {
		errs = append(errs, s.leave(sp.batch))
	}
	return errors.Join(errs...)
}

// leave takes one key off a batch, and removes it with the last of them.
func (s *store) leave(batch string) error {
	s.mu.Lock()
	left, counted := s.left[batch]
	s.mu.Unlock()
	if !counted {
		left = s.count(batch) + 1
	}
	left--
	s.mu.Lock()
	s.left[batch] = left
	if left <= 0 {
		delete(s.left, batch)
	}
	s.mu.Unlock()
	if left > 0 {
		return nil
	}
	err := os.Remove(s.path(batchesDir, batch))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// count returns how many keys of a batch are not forgotten.
func (s *store) count(batch string) int {
	b, err := os.ReadFile(s.path(batchesDir, batch))
	if err != nil {
		return 0
	}
	n := 0
	for key := range strings.Lines(string(b)) {
		if _, err := os.Lstat(s.path(jobsDir, strings.TrimSuffix(key, "\n"))); err == nil {
			n++
		}
	}
	return n
}

// safe reports whether a key can be the name of a file and of a job.
func safe(key string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return key != "" && len(key) <= 64 && strings.Trim(key, letters) == ""
}

// store returns the directory of who runs a job.
func (e *Executor) store(uid int) (*store, error) {
	e.mu.Lock()
	s := e.stores[uid]
	e.mu.Unlock()
	if s != nil {
		return s, nil
	}
	s, err := e.openStore(uid)
	if err != nil {
		return nil, fmt.Errorf("slurm: the shared directory: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if other := e.stores[uid]; other != nil {
		return other, nil
	}
	e.stores[uid] = s
	return s, nil
}

func (e *Executor) openStore(uid int) (*store, error) {
	name := "own"
	if uid >= 0 {
		name = "user-" + strconv.Itoa(uid)
	}
	// Others go through it to what is theirs; nothing else in it is open to them.
	if err := os.MkdirAll(e.config.Dir, 0o711); err != nil {
		return nil, err
	}
	return openStore(filepath.Join(e.config.Dir, name), uid)
}

// allStores returns those that are there.
func (e *Executor) allStores() ([]*store, error) {
	entries, err := os.ReadDir(e.config.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("slurm: %w", err)
	}
	var stores []*store
	for _, entry := range entries {
		uid := -1
		if number, ok := strings.CutPrefix(entry.Name(), "user-"); ok {
			if uid, err = strconv.Atoi(number); err != nil {
				continue
			}
		} else if entry.Name() != "own" {
			continue
		}
		s, err := e.store(uid)
		if err != nil {
			return nil, err
		}
		stores = append(stores, s)
	}
	return slices.Clip(stores), nil
}
