package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Unified stands for the one hierarchy of version 2, which has no name, where
// there are names of controllers.
const Unified = ""

// Groups returns the paths of this process's groups by controller, as
// /proc/self/cgroup below root has them.
func Groups(root fs.FS) (map[string]string, error) {
	const file = "proc/self/cgroup"
	text, err := ReadText(root, file)
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

// A Mount is a cgroup file system and where it is mounted.
type Mount struct {
	Root        string   // the group that is seen at Point
	Point       string   // relative to the root of the file system
	Controllers []string // Unified alone, or those of version 1
}

// Has reports whether the mount has a controller.
func (m Mount) Has(controller string) bool { return slices.Contains(m.Controllers, controller) }

// Below returns the path of a group relative to m.Point, starting with a
// slash, unless the mount does not contain it.
func (m Mount) Below(group string) (string, bool) {
	rest, ok := strings.CutPrefix(group, strings.TrimSuffix(m.Root, "/"))
	switch {
	case !ok, strings.HasPrefix(group, "/.."): // outside of the cgroup namespace
		return "", false
	case rest == "":
		return "/", true
	}
	return path.Clean(rest), rest[0] == '/'
}

// Mounts returns the cgroup file systems that /proc/self/mountinfo below root has.
func Mounts(root fs.FS) ([]Mount, error) {
	const file = "proc/self/mountinfo"
	text, err := ReadText(root, file)
	if err != nil {
		return nil, err
	}
	var mounts []Mount
	for line := range strings.Lines(text) {
		// 36 35 98:0 /root /point rw,noatime master:1 - type source options
		where, what, ok := strings.Cut(line, " - ")
		place, kind := strings.Fields(where), strings.Fields(what)
		if !ok || len(place) < 6 || len(kind) < 1 {
			return nil, fmt.Errorf("/%s: unexpected line %q", file, line)
		}
		m := Mount{Root: unescape(place[3]), Point: strings.TrimPrefix(unescape(place[4]), "/")}
		switch kind[0] {
		case "cgroup2":
			m.Controllers = []string{Unified}
		case "cgroup":
			m.Controllers = strings.Split(kind[len(kind)-1], ",")
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

// ReadText returns the content of a file without the space around it, and ""
// if it does not exist or is nobody's business: the root group has no limits,
// old kernels have fewer files, sandboxes hide some.
func ReadText(root fs.FS, file string) (string, error) {
	data, err := fs.ReadFile(root, file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}
