package crash_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/internal/helperproc"
)

// life is what a task says of itself.
type life struct {
	starts, ends, overlaps []string // keys
	oks, fails             int
}

// lives reads all side files.
func lives(dir string) (map[string]life, error) {
	all := map[string]life{}
	files, err := os.ReadDir(filepath.Join(dir, "side"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(sideFile(dir, file.Name()))
		if err != nil {
			return nil, err
		}
		var l life
		for line := range strings.Lines(string(text)) {
			what, key, _ := strings.Cut(strings.TrimSpace(line), " ")
			switch what {
			case "start":
				l.starts = append(l.starts, key)
			case "overlap":
				l.overlaps = append(l.overlaps, key)
			case "ok":
				l.oks++
				l.ends = append(l.ends, key)
			case "fail":
				l.fails++
				l.ends = append(l.ends, key)
			default:
				return nil, fmt.Errorf("side file of %s: %q", file.Name(), line)
			}
		}
		all[file.Name()] = l
	}
	return all, nil
}

// exactlyOnce says what is wrong if no process was ever ended by force: each task
// succeeded once, failed as often as it does, started as often as it ended, under
// a key of its own each time, and never beside itself.
func exactlyOnce(all map[string]life, fails map[string]int) (wrong []string) {
	wrong = onlyThese(all, fails)
	for _, name := range slices.Sorted(maps.Keys(fails)) {
		l := all[name]
		keys := slices.Compact(slices.Sorted(slices.Values(l.starts)))
		switch {
		case l.oks != 1:
			wrong = append(wrong, fmt.Sprintf("%s succeeded %d times", name, l.oks))
		case l.fails != fails[name]:
			wrong = append(wrong, fmt.Sprintf("%s failed %d times", name, l.fails))
		case len(l.overlaps) > 0:
			wrong = append(wrong, fmt.Sprintf("%s ran beside itself: %s", name, l.overlaps))
		case len(keys) != len(l.starts):
			wrong = append(wrong, fmt.Sprintf("%s started twice under a key: %s", name, l.starts))
		case !slices.Equal(l.starts, l.ends):
			wrong = append(wrong, fmt.Sprintf("%s started as %s and ended as %s",
				name, l.starts, l.ends))
		}
	}
	return wrong
}

// atLeastOnce says what is wrong if processes may have been ended by force, or not
// be found again: each task succeeded, and those in done never started again after
// the attempt that is recorded as its success.
func atLeastOnce(all map[string]life, fails, done map[string]int, alone bool) (wrong []string) {
	wrong = onlyThese(all, fails)
	for _, name := range slices.Sorted(maps.Keys(fails)) {
		l := all[name]
		switch {
		case l.oks == 0:
			wrong = append(wrong, name+" never succeeded")
		case alone && len(l.overlaps) > 0:
			wrong = append(wrong, fmt.Sprintf("%s ran beside itself: %s", name, l.overlaps))
		}
		for _, key := range l.starts {
			if number(key) > done[name] {
				wrong = append(wrong, fmt.Sprintf("%s started as %s after its attempt %d succeeded",
					name, key, done[name]))
			}
		}
	}
	return wrong
}

func onlyThese(all map[string]life, fails map[string]int) (wrong []string) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, ok := fails[name]; !ok {
			wrong = append(wrong, name+" ran, and should not have")
		}
	}
	return wrong
}

// number is that of the attempt, which its key ends with.
func number(key string) int {
	n, err := strconv.Atoi(key[strings.LastIndexByte(key, '-')+1:])
	if err != nil {
		return -1
	}
	return n
}

// left returns the processes that belong to attempts in dir, by the environment
// they started with, and to supervisors there.
func left(dir string) ([]int, error) {
	var found []int
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, p := range processes {
		// Those that have ended meanwhile, and of others, are not ours.
		words, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(p, "environ"))
		ours := bytes.Contains(words, []byte(dir+"\x00")) ||
			bytes.Contains(words, []byte(dir+"/processes"))
		if !ours || !bytes.Contains(environ, []byte("DAGGY_KEY=")) && !isSupervisor(words) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil {
			return nil, err
		}
		found = append(found, pid)
	}
	return found, nil
}

// isSupervisor reports whether this is the command line of a supervisor.
func isSupervisor(words []byte) bool {
	return bytes.Contains(words, []byte("\x00daggy-fork-supervisor\x00"))
}

// supervisor returns the process ID of the supervisor in dir, or 0.
func supervisor(dir string) (int, error) {
	pids, err := left(dir)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if isSupervisor(words) {
			return pid, nil
		}
	}
	return 0, nil
}

// quiet waits until the supervisor in dir has gone.
func quiet(dir string) error {
	return helperproc.AwaitSupervisor(filepath.Join(dir, "processes"))
}
