package filelog

import "io"

// A fileSystem is what a log does to a disk, so that tests can take the disk's
// part. Names are paths below the log's directory.
type fileSystem interface {
	// Create opens a new file for writing and reading. It is an error if there is
	// one of that name.
	Create(name string) (file, error)
	// Open opens a file for writing and reading.
	Open(name string) (file, error)
	// List returns the names in the directory in the order of their bytes, and
	// the sizes of the regular files among them.
	List() ([]named, error)
	Rename(from, to string) error
	Remove(name string) error
	// SyncDir makes durable which names there are.
	SyncDir() error
	// Lock takes the lock of the directory, or fails with errLocked.
	Lock() (io.Closer, error)
}

// A file is written in order, by one goroutine at a time, while others read it.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	// Sync makes durable what was written. After an error nobody knows what of it
	// is, and to ask again tells nothing: the kernel may have dropped it.
	Sync() error
	Size() (int64, error)
}

// named is an entry of the directory. The size of what is no regular file is -1.
type named struct {
	name string
	size int64
}
