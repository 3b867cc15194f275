package slurm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// watch wakes calls of Run when the claim or the report of their job appears,
// until ctx ends. The kernel tells of what happens on this machine only: what jobs
// on others write is found by listing.
func (k *keeper) watch(ctx context.Context) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if err != nil {
		k.e.config.Logger.Warn("files are not watched", slog.Any("err", err))
		return
	}
	f := os.NewFile(uintptr(fd), "inotify")
	var closing sync.Once
	closeIt := func() { closing.Do(func() { _ = f.Close() }) }
	defer closeIt()
	defer context.AfterFunc(ctx, closeIt)()
	k.mu.Lock()
	k.watching = func(s *store) { watchStore(f, s) }
	var stores []*store
	for _, it := range k.items {
		stores = append(stores, it.store)
	}
	k.mu.Unlock()
	slices.SortFunc(stores, func(a, b *store) int { return strings.Compare(a.dir, b.dir) })
	for _, s := range slices.Compact(stores) {
		watchStore(f, s)
	}
	k.reports() // that were there before
	defer func() {
		k.mu.Lock()
		k.watching = nil
		k.mu.Unlock()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				k.e.config.Logger.Warn("files are not watched any more", slog.Any("err", err))
			}
			return
		}
		k.wakeAll(names(buf[:n])...)
	}
}

// watchStore adds the directories of a store; those that are there already stay.
func watchStore(f *os.File, s *store) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for _, kind := range []string{claimsDir, exitsDir} {
			// Without it, the listings do.
			_, _ = syscall.InotifyAddWatch(int(fd), s.path(kind, ""),
				syscall.IN_CREATE|syscall.IN_MOVED_TO)
		}
	})
}

// names reads the names in what the kernel says.
func names(b []byte) []string {
	var names []string
	for len(b) >= syscall.SizeofInotifyEvent {
		size := int(binary.NativeEndian.Uint32(b[12:16]))
		end := syscall.SizeofInotifyEvent + size
		if end > len(b) {
			break
		}
		name, _, _ := bytes.Cut(b[syscall.SizeofInotifyEvent:end], []byte{0})
		names = append(names, string(name))
		b = b[end:]
	}
	return names
}
