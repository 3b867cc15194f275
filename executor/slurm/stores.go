package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

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
	s, err := openStore(filepath.Join(e.config.Dir, name), uid)
	if err == nil && uid >= 0 {
		err = s.private() // others are probed by Validate
	}
	return s, err
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
