package dag

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"unicode"
	"unicode/utf8"
)

// MaxName is the greatest length of a task's name, in bytes.
const MaxName = 255

// nameProblem says why name cannot be the name of a task, or "".
//
// Names are identity and are printed in many places, so they hold only what
// can be seen. They never become paths, so slashes and dots mean nothing.
func nameProblem(name string) string {
	switch {
	case name == "":
		return "a task needs a name"
	case len(name) > MaxName:
		return fmt.Sprintf("the name has %d bytes, the most is %d", len(name), MaxName)
	}
	if !plainText(name) {
		return unusualNameProblem(name)
	}
	return ""
}

func unusualNameProblem(name string) string {
	for i, r := range name {
		if r == utf8.RuneError && !utf8.ValidString(name[i:]) {
			return "the name is not valid UTF-8"
		}
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("the name holds %U, which cannot be printed", r)
		}
	}
	return ""
}

// A nameTable finds indices by name, at a third of the memory and half the
// time of a map[string]int: its slots are numbers, and it reads the names from
// where the graph has them anyway.
//
// A slot is 0 if it is free. Else its low bits are an index plus one, and the
// others are bits of the name's hash, which spare nearly all comparisons with
// other names. Collisions go to the next slot.
type nameTable struct {
	seed  maphash.Seed
	slots []uint32 // a power of two of them
	count int
}

// newNameTable returns a table with room for n names.
func newNameTable(n int) nameTable {
	return nameTable{seed: maphash.MakeSeed(), slots: make([]uint32, tableSize(n))}
}

// tableSize keeps at least a quarter of the slots free.
func tableSize(n int) int {
	return 1 << max(3, bits.Len(uint(n+n/3)))
}

// hash gives the low bits to the slot and the others to what the slot holds.
func (t *nameTable) hash(name string) uint32 { return uint32(maphash.String(t.seed, name)) }

// find returns the index of the name with this hash, or -1 and the slot where
// it belongs.
func (t *nameTable) find(names []string, name string, hash uint32) (index int32, slot uint32) {
	mask := uint32(len(t.slots) - 1)
	slot = hash & mask
	tag := hash &^ mask
	for {
		s := t.slots[slot]
		if s == 0 {
			return -1, slot
		}
		if s&^mask == tag {
			if i := s&mask - 1; names[i] == name {
				return int32(i), slot
			}
		}
		slot = (slot + 1) & mask
	}
}

// put records names[index], which find did not find, at the slot it gave.
func (t *nameTable) put(index int, hash uint32, slot uint32) {
	mask := uint32(len(t.slots) - 1)
	t.slots[slot] = hash&^mask | uint32(index+1)
	t.count++
}

// reserve makes room for n more names.
func (t *nameTable) reserve(names []string, n int) {
	size := tableSize(t.count + n)
	if size <= len(t.slots) {
		return
	}
	t.slots, t.count = make([]uint32, size), 0
	for i, name := range names {
		h := t.hash(name)
		if at, slot := t.find(names, name, h); at < 0 {
			t.put(i, h, slot)
		}
	}
}

// remove forgets the name at index, which must be the last that was put. It
// does nothing if the table has that name for another index.
func (t *nameTable) remove(names []string, index int) {
	i, slot := t.find(names, names[index], t.hash(names[index]))
	if int(i) == index {
		t.slots[slot] = 0
		t.count--
	}
}
