package journal

import "fmt"

// A CorruptError says where a journal is damaged. Nothing is started before
// somebody has looked at it, as it is not known any more what runs.
type CorruptError struct {
	Path   string
	Offset int64
	Text   string
}

// Error has everything in one line.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s: damaged at offset %d: %s", e.Path, e.Offset, e.Text)
}

// A VersionError says that another version of this library wrote a journal.
type VersionError struct {
	Path       string
	Have, Want uint32
}

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%s: has version %d of the format, and this program knows version %d",
		e.Path, e.Have, e.Want)
}
