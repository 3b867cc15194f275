package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

// A store is the directory that the engine and the jobs of one user share. It
// has files named after keys, by kind; FORMAT.md describes them.
type store struct {
	dir string
	uid int // who has to own the files. -1: whoever runs this process
	// environ is what jobs are told of who they are.
	environ []string

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
	s := &store{dir: dir, uid: uid, environ: identity(uid), left: map[string]int{}}
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

// own gives a directory to who runs the jobs. They may have put a link in its place
// since, to something that is not theirs.
func (s *store) own(path string) error {
	if s.uid < 0 {
		return nil
	}
	return os.Lchown(path, s.uid, -1)
}

// private refuses directories in which others can write: they could have jobs run what
// they like. Whose a file is, is what the file system says of one that was just made.
func (s *store) private() error {
	tmp, err := s.temporary(nil, false)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }() // it is only in the way
	mine, err := os.Lstat(tmp)
	if err != nil {
		return err
	}
	for _, kind := range append([]string{""}, kinds...) {
		dir := filepath.Join(s.dir, kind)
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s is not a directory", dir)
		case owner(info) != owner(mine):
			return fmt.Errorf("%s belongs to user %d: use another directory", dir, owner(info))
		case info.Mode()&0o022 != 0 && runtime.GOOS != "windows":
			return fmt.Errorf("%s can be written by other users: chmod 700 it", dir)
		}
	}
	return nil
}

func (s *store) path(kind, name string) string { return filepath.Join(s.dir, kind, name) }

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

// safe reports whether a key can be the name of a file and of a job.
func safe(key string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return key != "" && len(key) <= 64 && strings.Trim(key, letters) == ""
}
