package capacity

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// cgroupLimit returns the tightest limits that apply to this process, or
// unlimited, of all hierarchies it is in: version 1 has one for each
// controller, version 2 one for all, and hybrid systems have both.
func cgroupLimit(root fs.FS) (machine, error) {
	limit := machine{cores: unlimited, memory: unlimited}
	groups, err := readGroups(root)
	if err != nil {
		return limit, err
	}
	mounts, err := readMounts(root)
	if err != nil {
		return limit, err
	}
	for _, controller := range []string{controllerV2, "cpu", "memory"} {
		group, ok := groups[controller]
		if !ok {
			continue
		}
		for _, dir := range groupDirs(mounts, controller, group) {
			if err := limit.tighten(root, dir, controller); err != nil {
				return limit, err
			}
		}
	}
	return limit, nil
}

// tighten lowers m to the limits of one group of one controller.
func (m *machine) tighten(root fs.FS, dir, controller string) error {
	cores, memory := unlimited, unlimited
	var errCores, errMemory error
	switch controller {
	case controllerV2:
		cores, errCores = coresV2(root, dir)
		memory, errMemory = bytesIn(root, path.Join(dir, "memory.max"))
	case "cpu":
		cores, errCores = coresV1(root, dir)
	case "memory":
		memory, errMemory = bytesIn(root, path.Join(dir, "memory.limit_in_bytes"))
	}
	m.cores, m.memory = min(m.cores, cores), min(m.memory, memory)
	return errors.Join(errCores, errMemory)
}

// groupDirs returns the directories of a group and of all its ancestors that
// can be seen, under every mount of its hierarchy.
func groupDirs(mounts []mount, controller, group string) []string {
	var dirs []string
	for _, m := range mounts {
		if below, ok := m.below(group); ok && m.has(controller) {
			for {
				dirs = append(dirs, path.Join(m.point, below))
				if below == "/" {
					break
				}
				below = path.Dir(below)
			}
		}
	}
	if dirs != nil {
		return dirs
	}
	// Some container engines mount the group itself but do not tell the
	// process its path. What is mounted is then all it may know of.
	for _, m := range mounts {
		if m.has(controller) {
			dirs = append(dirs, m.point)
		}
	}
	return dirs
}

// coresV2 reads "QUOTA PERIOD" or "max PERIOD", in microseconds.
func coresV2(root fs.FS, dir string) (int64, error) {
	file := path.Join(dir, "cpu.max")
	text, err := readText(root, file)
	if text == "" || err != nil {
		return unlimited, err
	}
	quota, period, _ := strings.Cut(text, " ")
	if quota == "max" {
		return unlimited, nil
	}
	return quotient(file, quota, period)
}

// coresV1 reads the same from two files, where -1 stands for no limit.
func coresV1(root fs.FS, dir string) (int64, error) {
	file := path.Join(dir, "cpu.cfs_quota_us")
	quota, err := readText(root, file)
	if quota == "" || quota == "-1" || err != nil {
		return unlimited, err
	}
	period, err := readText(root, path.Join(dir, "cpu.cfs_period_us"))
	if err != nil {
		return unlimited, err
	}
	return quotient(file, quota, period)
}

func quotient(file, quota, period string) (int64, error) {
	q, errQuota := strconv.ParseInt(quota, 10, 64)
	p, errPeriod := strconv.ParseInt(period, 10, 64)
	if errQuota != nil || errPeriod != nil || q <= 0 || p <= 0 {
		return unlimited, fmt.Errorf("/%s: unexpected quota %q of period %q", file, quota, period)
	}
	return max(leastCores, q/p), nil
}

// bytesIn reads a limit in bytes. Version 1 says a huge number where version 2
// says max; both are more than any machine has.
func bytesIn(root fs.FS, file string) (int64, error) {
	text, err := readText(root, file)
	if text == "" || text == "max" || err != nil {
		return unlimited, err
	}
	limit, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return unlimited, fmt.Errorf("/%s: unexpected limit %q", file, text)
	}
	return int64(min(limit, uint64(unlimited))), nil
}

// readText returns the content of a file without the space around it, and ""
// if it does not exist or is nobody's business: the root group has no limits,
// old kernels have fewer files, sandboxes hide some.
func readText(root fs.FS, file string) (string, error) {
	data, err := fs.ReadFile(root, file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

// controllerV2 stands for the one hierarchy of version 2, which has no name.
const controllerV2 = ""

// readGroups returns the paths of this process's groups by controller.
func readGroups(root fs.FS) (map[string]string, error) {
	const file = "proc/self/cgroup"
	text, err := readText(root, file)
	if err != nil {
		return nil, err
	}
	groups := make(map[string]string)
	for line := range strings.Lines(text) {
		// 4:cpu,cpuacct:/docker/0a1b  or  0::/user.slice
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			return nil, fmt.Errorf("/%s: unexpected line %q", file, line)
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			groups[controller] = parts[2]
		}
	}
	return groups, nil
}

// A mount is a cgroup file system and where it is mounted.
type mount struct {
	root        string   // the group that is seen at point
	point       string   // relative to the root of the file system
	controllers []string // controllerV2 alone, or those of version 1
}

func (m mount) has(controller string) bool { return slices.Contains(m.controllers, controller) }

// below returns the path of a group relative to m.point, starting with a
// slash, unless the mount does not contain it.
func (m mount) below(group string) (string, bool) {
	rest, ok := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
	switch {
	case !ok, strings.HasPrefix(group, "/.."): // outside of the cgroup namespace
		return "", false
	case rest == "":
		return "/", true
	}
	return path.Clean(rest), rest[0] == '/'
}

func readMounts(root fs.FS) ([]mount, error) {
	const file = "proc/self/mountinfo"
	text, err := readText(root, file)
	if err != nil {
		return nil, err
	}
	var mounts []mount
	for line := range strings.Lines(text) {
		// 36 35 98:0 /root /point rw,noatime master:1 - type source options
		where, what, ok := strings.Cut(line, " - ")
		place, kind := strings.Fields(where), strings.Fields(what)
		if !ok || len(place) < 6 || len(kind) < 1 {
			return nil, fmt.Errorf("/%s: unexpected line %q", file, line)
		}
		m := mount{root: unescape(place[3]), point: strings.TrimPrefix(unescape(place[4]), "/")}
		switch {
		case kind[0] == "cgroup2":
			m.controllers = []string{controllerV2}
		case kind[0] == "cgroup":
			m.controllers = strings.Split(kind[len(kind)-1], ",")
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// unescape undoes the octal escapes of spaces and the like in mountinfo.
func unescape(s string) string {
	for _, octal := range []string{" 040", "\t011", "\n012", `\134`} {
		s = strings.ReplaceAll(s, `\`+octal[1:], octal[:1])
	}
	return s
}
