package capacity

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

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
		switch kind[0] {
		case "cgroup2":
			m.controllers = []string{controllerV2}
		case "cgroup":
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
