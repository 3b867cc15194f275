package capacity

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/internal/cgroup"
)

// cgroupLimit returns the tightest limits that apply to this process, or
// unlimited, of all hierarchies it is in: version 1 has one for each
// controller, version 2 one for all, and hybrid systems have both.
func cgroupLimit(root fs.FS) (machine, error) {
	limit := machine{cores: unlimited, memory: unlimited}
	groups, err := cgroup.Groups(root)
	if err != nil {
		return limit, err
	}
	mounts, err := cgroup.Mounts(root)
	if err != nil {
		return limit, err
	}
	for _, controller := range []string{cgroup.Unified, "cpu", "memory"} {
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
	case cgroup.Unified:
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
func groupDirs(mounts []cgroup.Mount, controller, group string) []string {
	var dirs []string
	for _, m := range mounts {
		if below, ok := m.Below(group); ok && m.Has(controller) {
			for {
				dirs = append(dirs, path.Join(m.Point, below))
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
		if m.Has(controller) {
			dirs = append(dirs, m.Point)
		}
	}
	return dirs
}

// coresV2 reads "QUOTA PERIOD" or "max PERIOD", in microseconds.
func coresV2(root fs.FS, dir string) (int64, error) {
	file := path.Join(dir, "cpu.max")
	text, err := cgroup.ReadText(root, file)
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
	quota, err := cgroup.ReadText(root, file)
	if quota == "" || quota == "-1" || err != nil {
		return unlimited, err
	}
	period, err := cgroup.ReadText(root, path.Join(dir, "cpu.cfs_period_us"))
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
	text, err := cgroup.ReadText(root, file)
	if text == "" || text == "max" || err != nil {
		return unlimited, err
	}
	limit, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return unlimited, fmt.Errorf("/%s: unexpected limit %q", file, text)
	}
	return int64(min(limit, uint64(unlimited))), nil
}
