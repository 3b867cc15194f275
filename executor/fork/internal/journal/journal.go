package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor/fork/internal/wire"
	"github.com/daggy-go/daggy/internal/keyset"
)

// Name of the file in its directory.
const Name = "journal"

// A State is what is known of a key.
type State byte

// The states of a key.
const (
	Unused    State = iota // nothing is known of it
	Claimed                // it was started, or is about to be
	Ended                  // its outcome is known
	Lost                   // it is known that it has ended, and not how
	Closed                 // it never starts
	Forgotten              // it was used, and its outcome was recorded elsewhere
)

// An Entry is all that is known of a key.
type Entry struct {
	State   State
	Slot    uint64        // of a claim; never used again
	Grace   time.Duration // of a claim
	Process Process       // of what was started
	Text    string        // why it is lost

	at      extent // of the outcome, in the file
	unsaved []byte // the outcome, if it could not be written
}

// A Process is the one that a key has started.
type Process struct {
	PID int
	ID  uint64 // that no other process of this boot has; 0: not known
}

// A Boot says where and since when processes run. After another boot none of
// them does.
type Boot struct{ ID, Host string }

// extent is a part of the file.
type extent struct {
	offset int64
	size   int
}

// A Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	dir string

	mu      sync.Mutex // guards the following
	file    *os.File
	size    int64
	after   int64 // the size when it was last written anew
	err     error // only a new file can be written to
	entries map[string]*Entry
	used    *keyset.Set
	unsaved map[string]bool // keys whose outcome could not be written
	slot    uint64          // the last that was given away
	boot    Boot
	before  Boot // of the last who wrote
	cut     int64
}

// Open opens the journal of a directory, or makes one.
func Open(dir string, boot Boot) (*Journal, error) {
	j := &Journal{
		dir: dir, entries: map[string]*Entry{}, used: keyset.New(),
		unsaved: map[string]bool{}, boot: boot,
	}
	var err error
	j.file, err = os.OpenFile(j.path(), os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return j, j.rewrite()
	case err != nil:
		return nil, err
	}
	if err := j.replay(); err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	j.after = j.size
	return j, j.add(kindBoot, j.bootBody())
}

func (j *Journal) path() string { return filepath.Join(j.dir, Name) }

func (j *Journal) bootBody() []byte {
	b := wire.AppendString(nil, j.boot.ID)
	b = wire.AppendString(b, j.boot.Host)
	return wire.AppendUint(b, j.slot)
}

// Close closes the file. The error says if anything could not be written.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return errors.Join(j.saveAll(), j.file.Close())
}

// Rebooted reports whether the machine, or the one that the journal is on now, was
// started since it was written to, so that nothing of what it has claimed runs.
func (j *Journal) Rebooted() bool {
	return j.before.ID != "" && j.boot.ID != "" && j.before.ID != j.boot.ID
}

// Cut returns how many bytes at the end of the file were an unfinished record.
func (j *Journal) Cut() int64 { return j.cut }

// Entry returns what is known of a key.
func (j *Journal) Entry(key string) Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e := j.entries[key]; e != nil {
		return *e
	}
	if j.used.Has(key) {
		return Entry{State: Forgotten}
	}
	return Entry{}
}

// Claimed returns the keys that are claimed, by slot.
func (j *Journal) Claimed() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var keys []string
	for key, e := range j.entries {
		if e.State == Claimed {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		return cmp.Compare(j.entries[a].Slot, j.entries[b].Slot)
	})
	return keys
}

// Claim claims a key that is unused and returns a new slot. Nobody may start
// anything under a key before that.
func (j *Journal) Claim(key string, grace time.Duration) (slot uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.entries[key] != nil || j.used.Has(key) {
		return 0, fmt.Errorf("key %q is in use", key)
	}
	if err := j.saveAll(); err != nil {
		return 0, err // what has ended comes first
	}
	e := &Entry{State: Claimed, Slot: j.slot + 1, Grace: grace}
	if err := j.add(kindClaim, claimBody(key, e)); err != nil {
		return 0, err
	}
	j.slot++
	j.entries[strings.Clone(key)] = e
	return e.Slot, nil
}

// Started says which process a claimed key has started.
func (j *Journal) Started(key string, p Process) error {
	return j.change(key, kindStarted, startedBody(key, p), func(e *Entry) { e.Process = p })
}

// Lose says that what a claimed key has started, if anything, is gone.
func (j *Journal) Lose(key, text string) error {
	return j.change(key, kindLost, lostBody(key, text), func(e *Entry) {
		e.State, e.Text = Lost, text
	})
}

// Withdraw takes a claim back: nothing was started, and may be later on.
func (j *Journal) Withdraw(key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.add(kindWithdrawn, wire.AppendString(nil, key)); err != nil {
		return err
	}
	delete(j.entries, key)
	return nil
}

// End says how a claimed key has ended, with an outcome that [wire.Outcome.Append]
// has written, and keeps it. If it cannot be written, it is kept in memory, and
// nothing more can be claimed until it is written.
func (j *Journal) End(key string, outcome []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[key]
	if e == nil {
		return fmt.Errorf("key %q was never claimed", key)
	}
	e.State, e.unsaved = Ended, outcome
	j.unsaved[key] = true
	return j.save(key, e)
}

// Save writes outcomes that could not be written before.
func (j *Journal) Save() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.saveAll()
}

// saveAll is Save with mu held.
func (j *Journal) saveAll() error {
	for key := range j.unsaved {
		if err := j.save(key, j.entries[key]); err != nil {
			return err
		}
	}
	return nil
}

// save writes an outcome.
func (j *Journal) save(key string, e *Entry) error {
	size := len(e.unsaved) // none is left if the file is written anew before
	if err := j.add(kindEnded, append(wire.AppendString(nil, key), e.unsaved...)); err != nil {
		return err
	}
	e.at, e.unsaved = extent{j.size - int64(size), size}, nil
	delete(j.unsaved, key)
	return nil
}

// Outcome returns how a key has ended, as it was written.
func (j *Journal) Outcome(key string) ([]byte, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[key]
	switch {
	case e == nil || e.State != Ended:
		return nil, fmt.Errorf("key %q has not ended", key)
	case e.unsaved != nil:
		return e.unsaved, nil
	}
	b := make([]byte, e.at.size)
	if _, err := j.file.ReadAt(b, e.at.offset); err != nil {
		return nil, fmt.Errorf("%s: %w", j.path(), err)
	}
	return b, nil
}

// CloseKey closes a key that is unused: it never starts.
func (j *Journal) CloseKey(key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.entries[key] != nil || j.used.Has(key) {
		return nil
	}
	if err := j.add(kindClosed, wire.AppendString(nil, key)); err != nil {
		return err
	}
	j.entries[strings.Clone(key)] = &Entry{State: Closed}
	return nil
}

// most is how many keys there are in a record.
const most = 1024

// Forget forgets all of these keys except that they were used. What is claimed
// stays so. It returns the keys that had an outcome.
func (j *Journal) Forget(keys []string) (ended []string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for part := range slices.Chunk(keys, most) {
		fresh := slices.DeleteFunc(slices.Clone(part), func(key string) bool {
			e := j.entries[key]
			return e != nil && e.State == Claimed || e == nil && j.used.Has(key)
		})
		if len(fresh) == 0 {
			continue
		}
		if err := j.add(kindForgotten, wire.AppendStrings(nil, fresh)); err != nil {
			return ended, err
		}
		for _, key := range fresh {
			if e := j.entries[key]; e != nil && e.State == Ended {
				ended = append(ended, key)
			}
			delete(j.entries, key)
			delete(j.unsaved, key)
			j.used.Add(key)
		}
	}
	return ended, nil
}

// change writes a record and then changes the entry.
func (j *Journal) change(key string, k kind, body []byte, f func(*Entry)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.entries[key]
	if e == nil {
		return fmt.Errorf("key %q was never claimed", key)
	}
	if err := j.add(k, body); err != nil {
		return err
	}
	f(e)
	return nil
}
