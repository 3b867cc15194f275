package slurm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

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
	for _, n := range sp.names {
		if n.index >= 0 {
			errs = append(errs, s.leave(n.name))
		}
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
