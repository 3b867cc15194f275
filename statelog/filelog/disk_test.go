package filelog

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
)

// A disk is a fileSystem in memory that fails on demand, and that can be looked
// at as a machine finds it that went down.
type disk struct {
	// fault says whether an operation fails, and how many bytes of a write get
	// through all the same. It is called with mu held.
	fault func(op string, name string) (short int, err error)
	// room is how many more bytes can be written. Negative: any number.
	room int

	mu     sync.Mutex
	names  map[string]*inode
	synced map[string]*inode // as of the last SyncDir
	since  []rename          // since then
	locked bool
	ops    int
}

// A rename of "" creates a file, and one to "" removes one.
type rename struct {
	from, to string
	node     *inode
}

// An inode is a file. What is written to it is in data at once, and in what
// survives when it is synced.
type inode struct {
	name    string
	data    []byte
	durable []byte
	pending []change // since the last sync that succeeded
	doubted []change // of a sync that failed: no other sync makes them durable
}

type change struct {
	off  int
	data []byte // nil: a truncation
}

func newDisk() *disk {
	return &disk{room: -1, names: map[string]*inode{}, synced: map[string]*inode{}}
}

var errPower = errors.New("the power is off")

// do counts an operation and asks for its fault.
func (d *disk) do(op, name string) (int, error) {
	d.ops++
	if d.fault == nil {
		return 0, nil
	}
	return d.fault(op, name)
}

func (d *disk) Create(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.do("create", name); err != nil {
		return nil, err
	}
	if d.names[name] != nil {
		return nil, os.ErrExist
	}
	node := &inode{name: name}
	d.names[name] = node
	d.since = append(d.since, rename{"", name, node})
	return &handle{d, node}, nil
}

func (d *disk) Open(name string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return nil, os.ErrNotExist
	}
	return &handle{d, d.names[name]}, nil
}

func (d *disk) List() ([]named, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []named
	for _, name := range slices.Sorted(maps.Keys(d.names)) {
		list = append(list, named{name, int64(len(d.names[name].data))})
	}
	return list, nil
}

func (d *disk) Rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.do("rename", from); err != nil {
		return err
	}
	node := d.names[from]
	node.name = to
	delete(d.names, from)
	d.names[to] = node
	d.since = append(d.since, rename{from, to, node})
	return nil
}

func (d *disk) Remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.do("remove", name); err != nil {
		return err
	}
	if d.names[name] == nil {
		return os.ErrNotExist
	}
	delete(d.names, name)
	d.since = append(d.since, rename{name, "", nil})
	return nil
}

func (d *disk) SyncDir() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.do("syncdir", "."); err != nil {
		return err
	}
	d.synced, d.since = maps.Clone(d.names), nil
	return nil
}

func (d *disk) Lock() (io.Closer, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.locked {
		return nil, errLocked
	}
	d.locked = true
	return unlocker{d}, nil
}

type unlocker struct{ *disk }

func (u unlocker) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.locked = false
	return nil
}

// A handle is an open file.
type handle struct {
	*disk
	node *inode
}

func (h *handle) Close() error { return nil }

func (h *handle) Size() (int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int64(len(h.node.data)), nil
}

func (h *handle) ReadAt(p []byte, off int64) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if off >= int64(len(h.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(p []byte, off int64) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, err := len(p), error(nil)
	if short, fault := h.do("write", h.node.name); fault != nil {
		n, err = min(short, len(p)), fault
	} else if h.room >= 0 && h.room < n {
		n, err = h.room, syscall.ENOSPC
	}
	if h.room >= 0 {
		h.room -= n
	}
	if n > 0 {
		c := change{int(off), slices.Clone(p[:n])}
		h.node.data = c.apply(h.node.data)
		h.node.pending = append(h.node.pending, c)
	}
	return n, err
}

func (h *handle) Truncate(size int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.do("truncate", h.node.name); err != nil {
		return err
	}
	c := change{int(size), nil}
	if h.room >= 0 {
		h.room += len(h.node.data) - int(size)
	}
	h.node.data = c.apply(h.node.data)
	h.node.pending = append(h.node.pending, c)
	return nil
}

func (h *handle) Sync() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, err := h.do("sync", h.node.name); err != nil {
		h.node.doubted = append(h.node.doubted, h.node.pending...)
		h.node.pending = nil
		return err
	}
	for _, c := range h.node.pending {
		h.node.durable = c.apply(h.node.durable)
	}
	h.node.pending = nil
	return nil
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		return resize(b, c.off)
	}
	b = resize(b, max(len(b), c.off+len(c.data)))
	copy(b[c.off:], c.data)
	return b
}

func resize(b []byte, size int) []byte {
	if size <= len(b) {
		return slices.Clone(b[:size])
	}
	return append(slices.Clone(b), make([]byte, size-len(b))...)
}

// crash returns the disk as it is found when the machine went down now: of what
// was not synced any part may be there.
func (d *disk) crash(random *rand.Rand) *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := newDisk()
	names := maps.Clone(d.synced)
	for _, r := range d.since {
		if random.IntN(2) == 0 {
			continue
		}
		delete(names, r.from)
		if r.to != "" {
			names[r.to] = r.node
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		data := names[name].survive(random)
		found.names[name] = &inode{name: name, data: data, durable: data}
	}
	found.synced = maps.Clone(found.names)
	return found
}

// survive returns the durable bytes and, of the others, some sectors.
func (n *inode) survive(random *rand.Rand) []byte {
	const sector = 16
	data := slices.Clone(n.durable)
	share := random.IntN(5) // of four: none, some, all
	for _, c := range slices.Concat(n.doubted, n.pending) {
		if c.data == nil {
			if random.IntN(4) < share {
				data = c.apply(data)
			}
			continue
		}
		for off := 0; off < len(c.data); off += sector {
			if random.IntN(4) < share {
				part := c.data[off:min(off+sector, len(c.data))]
				data = change{c.off + off, part}.apply(data)
			}
		}
	}
	return data
}

// copy returns a disk of its own with the same content, all of it durable.
func (d *disk) copy() *disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	other := newDisk()
	for name, node := range d.names {
		data := slices.Clone(node.data)
		other.names[name] = &inode{name: name, data: data, durable: data}
	}
	other.synced = maps.Clone(other.names)
	return other
}

// segments returns the names of the segments, in order.
func (d *disk) segments() []string {
	var all []string
	for name := range d.names {
		if len(name) == len(segmentName(1)) && name[len(name)-4:] == ".seg" {
			all = append(all, name)
		}
	}
	slices.SortFunc(all, cmp.Compare[string])
	return all
}
