package fork

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/internal/cgroup"
)

// groupsHeader begins the file that says where the control groups of a supervisor are.
const groupsHeader = "daggy control groups 1"

// noteGroups writes down where control groups are going to be, so that the next
// supervisor finds what is in them. Those of the one before this are noted as long as
// anything may be there.
func (s *supervisor) noteGroups(dirs []string) error {
	lines := append([]string{groupsHeader}, s.remains.Dirs()...)
	lines = append(lines, dirs...)
	text := strings.Join(lines, "\n") + "\n"
	text += checksum(text) + "\n"
	path := filepath.Join(s.state, groupsName)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func checksum(text string) string {
	return fmt.Sprintf("%08x", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)))
}

// recallGroups returns what the supervisor before this one left behind. A file that is
// damaged, as by a power cut, says nothing: after a power cut nothing is left.
func recallGroups(state string) cgroup.Remains {
	dirs, err := readGroups(filepath.Join(state, groupsName))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		complain(err)
	}
	return cgroup.Recall(dirs)
}

func readGroups(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	last := len(lines) - 1
	body := strings.Join(lines[:last], "\n") + "\n"
	if last < 1 || lines[0] != groupsHeader || lines[last] != checksum(body) {
		return nil, fmt.Errorf("%s is damaged, or of another version", path)
	}
	return lines[1:last], nil
}

// buryGroups kills everything in the control groups that the supervisor before this
// one has left, after those who were asked to stop have had their time.
func (s *supervisor) buryGroups(orphans []orphan) {
	var grace time.Duration
	for _, o := range orphans {
		grace = max(grace, o.entry.Grace)
	}
	awaitDeath(func() bool { return !s.remains.Empty() }, time.Now().Add(grace))
	insist(func() bool { return s.remains.Kill(time.Now().Add(searchTime)) })
	s.remains.Remove()
}

// askGroups asks everything there to stop.
func (s *supervisor) askGroups() {
	s.remains.Signal(unix.SIGTERM)
	s.remains.Signal(unix.SIGCONT)
}
