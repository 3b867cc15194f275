package capacity_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
)

const (
	v2Mount = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
	v1Mount = "30 23 0:26 / /sys/fs/cgroup ro,nosuid shared:8 - tmpfs tmpfs ro,mode=755\n" +
		"33 30 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct\n" +
		"34 30 0:31 / /sys/fs/cgroup/memory rw shared:16 - cgroup cgroup rw,memory\n"
	ownCPU = "33 30 0:30 /docker/x /sys/fs/cgroup/cpu,cpuacct ro - " +
		"cgroup cgroup rw,cpu,cpuacct\n"
	ownMemory   = "34 30 0:31 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
	spacedMount = `36 24 0:30 / /mnt/my\040cgroups rw - cgroup2 cgroup2 rw` + "\n"
	v1Groups    = "5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n"
	unlimitedV1 = "9223372036854771712\n"
)

// tree makes a file system of a machine with 16 GiB.
func tree(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{
		"proc/meminfo": {Data: []byte("MemTotal:       16777216 kB\nMemFree:  123 kB\n")},
	}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return root
}

func TestC2DetectOnLinux(t *testing.T) {
	t.Parallel()
	const (
		self   = "proc/self/cgroup"
		mounts = "proc/self/mountinfo"
		v2     = "sys/fs/cgroup"
		v1cpu  = "sys/fs/cgroup/cpu,cpuacct"
		v1mem  = "sys/fs/cgroup/memory"
	)
	whole := ask(8, 12288)
	tests := map[string]struct {
		files map[string]string
		want  capacity.Resources
	}{
		"no cgroups":   {nil, whole},
		"no mountinfo": {map[string]string{self: "0::/\n"}, whole},
		"v2 without limits": {map[string]string{
			self: "0::/a\n", mounts: v2Mount,
			v2 + "/a/cpu.max": "max 100000\n", v2 + "/a/memory.max": "max\n",
		}, whole},
		"v2 without the controllers": {map[string]string{self: "0::/a\n", mounts: v2Mount}, whole},
		"v2": {map[string]string{
			self: "0::/a\n", mounts: v2Mount,
			v2 + "/a/cpu.max": "350000 100000\n", v2 + "/a/memory.max": "4294967296\n",
		}, ask(3, 3072)},
		"v2 at the root of its namespace": {map[string]string{
			self: "0::/\n", mounts: v2Mount,
			v2 + "/cpu.max": "200000 100000\n", v2 + "/memory.max": "1073741824\n",
		}, ask(2, 768)},
		"less than a core": {map[string]string{
			self: "0::/a\n", mounts: v2Mount, v2 + "/a/cpu.max": "50000 100000\n",
		}, ask(1, 12288)},
		"more than there is": {map[string]string{
			self: "0::/a\n", mounts: v2Mount,
			v2 + "/a/cpu.max": "6400000 100000\n", v2 + "/a/memory.max": "99999999999999\n",
		}, whole},
		"v2 nested, each ancestor counts": {map[string]string{
			self: "0::/kube.slice/pod/app\n", mounts: v2Mount,
			v2 + "/kube.slice/cpu.max":            "400000 100000\n",
			v2 + "/kube.slice/memory.max":         "max\n",
			v2 + "/kube.slice/pod/memory.max":     "2147483648\n",
			v2 + "/kube.slice/pod/app/cpu.max":    "600000 100000\n",
			v2 + "/kube.slice/pod/app/memory.max": "8589934592\n",
			v2 + "/other/memory.max":              "1\n",
		}, ask(4, 1536)},
		"v1": {map[string]string{
			self:                        v1Groups + "1:name=systemd:/y\n",
			mounts:                      v1Mount,
			v1cpu + "/cpu.cfs_quota_us": "-1\n", v1cpu + "/cpu.cfs_period_us": "100000\n",
			v1cpu + "/docker/x/cpu.cfs_quota_us":      "500000\n",
			v1cpu + "/docker/x/cpu.cfs_period_us":     "100000\n",
			v1mem + "/memory.limit_in_bytes":          unlimitedV1,
			v1mem + "/docker/memory.limit_in_bytes":   "3221225472\n",
			v1mem + "/docker/x/memory.limit_in_bytes": unlimitedV1,
		}, ask(5, 2304)},
		"v1 in a container that sees only its own group": {map[string]string{
			self:                        v1Groups,
			mounts:                      ownCPU + ownMemory,
			v1cpu + "/cpu.cfs_quota_us": "200000\n", v1cpu + "/cpu.cfs_period_us": "100000\n",
			v1mem + "/memory.limit_in_bytes": "1073741824\n",
		}, ask(2, 768)},
		"v1 in a container that is not told its path": {map[string]string{
			self:                             "5:memory:/\n",
			mounts:                           ownMemory,
			v1mem + "/memory.limit_in_bytes": "1073741824\n",
		}, ask(8, 768)},
		"hybrid": {map[string]string{
			self: "4:memory:/app\n0::/app\n",
			mounts: v1Mount +
				"41 30 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			v1mem + "/app/memory.limit_in_bytes": "1073741824\n",
			v2 + "/unified/app/cpu.max":          "300000 100000\n",
		}, ask(3, 768)},
		"the same hierarchy mounted twice": {map[string]string{
			self: "0::/a/b\n",
			mounts: "35 24 0:30 /zzz /mnt/other rw - cgroup2 cgroup2 rw\n" +
				"36 24 0:30 /a /mnt/part rw - cgroup2 cgroup2 rw\n" + v2Mount,
			"mnt/other/memory.max":  "1048576\n",
			"mnt/part/b/memory.max": "2147483648\n",
			v2 + "/a/b/memory.max":  "2147483648\n",
			v2 + "/a/memory.max":    "1073741824\n",
		}, ask(8, 768)},
		"a mount whose root is only a prefix of the name": {map[string]string{
			self:                    "0::/ab\n",
			mounts:                  "36 24 0:30 /a /mnt/part rw - cgroup2 cgroup2 rw\n" + v2Mount,
			"mnt/part/b/memory.max": "1048576\n",
			v2 + "/ab/memory.max":   "1073741824\n",
		}, ask(8, 768)},
		"a group outside of the namespace": {map[string]string{
			self: "0::/../other\n", mounts: v2Mount, v2 + "/memory.max": "1073741824\n",
		}, ask(8, 768)},
		"spaces in paths": {map[string]string{
			self:                                 "0::/my group\n",
			mounts:                               spacedMount,
			"mnt/my cgroups/my group/memory.max": "1073741824\n",
		}, ask(8, 768)},
		"a limit of nothing": {map[string]string{
			self: "0::/a\n", mounts: v2Mount, v2 + "/a/memory.max": "0\n",
		}, ask(8, 0)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := capacity.LinuxResources(tree(tt.files), 8)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestC2Daemon(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		cpus   int
		kb     string
		daemon capacity.Resources
	}{
		"large":          {64, "16777216", ask(62, 12288)},
		"three cores":    {3, "4194304", ask(1, 3072)},
		"two cores":      {2, "4194304", ask(1, 3072)},
		"one core":       {1, "4194304", ask(1, 3072)},
		"little memory":  {4, "65536", ask(2, 100)},
		"hardly enough":  {4, "136533", ask(2, 100)},
		"not the lowest": {4, "1048576", ask(2, 768)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: " + tt.kb + " kB\n")}}
			_, daemon, err := capacity.LinuxResources(root, tt.cpus)
			require.NoError(t, err)
			require.Equal(t, tt.daemon, daemon)
		})
	}
}

func TestDetectRefusesGarbage(t *testing.T) {
	t.Parallel()
	v2 := func(file, content string) map[string]string {
		return map[string]string{
			"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": v2Mount,
			"sys/fs/cgroup/a/" + file: content,
		}
	}
	v1 := func(quota, period string) map[string]string {
		return map[string]string{
			"proc/self/cgroup": "3:cpu,cpuacct:/\n", "proc/self/mountinfo": v1Mount,
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":  quota,
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": period,
		}
	}
	tests := map[string]map[string]string{
		"cpu.max of words":            v2("cpu.max", "lots 100000\n"),
		"cpu.max without period":      v2("cpu.max", "100000\n"),
		"cpu.max with period 0":       v2("cpu.max", "100000 0\n"),
		"cpu.max negative":            v2("cpu.max", "-5 100000\n"),
		"memory.max of words":         v2("memory.max", "4G\n"),
		"memory.max negative":         v2("memory.max", "-1\n"),
		"memory.max beyond 64 bits":   v2("memory.max", "99999999999999999999\n"),
		"cfs_quota of words":          v1("x", "100000"),
		"cfs_quota without period":    v1("100000", ""),
		"cfs_quota with period 0":     v1("100000", "0"),
		"cgroup without colons":       {"proc/self/cgroup": "hello\n"},
		"cgroup with a relative path": {"proc/self/cgroup": "0::a\n"},
		"mountinfo cut short":         {"proc/self/mountinfo": "35 24 0:30 /\n"},
		"mountinfo without type":      {"proc/self/mountinfo": "35 24 0:30 / /x rw - \n"},
		"meminfo empty":               {"proc/meminfo": ""},
		"meminfo of words":            {"proc/meminfo": "MemTotal: some kB\n"},
		"meminfo zero":                {"proc/meminfo": "MemTotal: 0 kB\n"},
		"meminfo too large":           {"proc/meminfo": "MemTotal: 9223372036854775807 kB\n"},
	}
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := capacity.LinuxResources(tree(files), 8)
			require.Error(t, err)
			t.Log(err)
		})
	}

	_, _, err := capacity.LinuxResources(fstest.MapFS{}, 8)
	require.ErrorIs(t, err, fs.ErrNotExist, "memory has to be known")
}

// hidden is a file system that denies one file.
type hidden struct {
	fstest.MapFS
	name string
	err  error
}

func (h hidden) Open(name string) (fs.File, error) {
	if name == h.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: h.err}
	}
	return h.MapFS.Open(name)
}

func (h hidden) ReadFile(name string) ([]byte, error) {
	if name == h.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: h.err}
	}
	return h.MapFS.ReadFile(name)
}

func TestDetectWhereFilesAreHidden(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"proc/self/cgroup": "0::/a\n", "proc/self/mountinfo": v2Mount,
		"sys/fs/cgroup/memory.max":   "1048576\n",
		"sys/fs/cgroup/a/memory.max": "1073741824\n",
	}
	const denied = "sys/fs/cgroup/memory.max"
	got, _, err := capacity.LinuxResources(hidden{tree(files), denied, fs.ErrPermission}, 8)
	require.NoError(t, err)
	require.Equal(t, ask(8, 768), got)

	broken := errors.New("input/output error")
	_, _, err = capacity.LinuxResources(hidden{tree(files), denied, broken}, 8)
	require.ErrorIs(t, err, broken)
}

func TestDetectThisMachine(t *testing.T) {
	t.Parallel()
	got, err := capacity.Detect()
	require.NoError(t, err)
	require.Positive(t, got["cores"])
	require.Positive(t, got["memoryMB"])
	daemon, err := capacity.DetectDaemon()
	require.NoError(t, err)
	require.LessOrEqual(t, daemon["cores"], got["cores"])
	require.GreaterOrEqual(t, daemon["memoryMB"], int64(100))
	require.Len(t, got, 2)
}

func FuzzCgroup(f *testing.F) {
	f.Add("0::/a\n", v2Mount, "100000 100000\n", "1048576\n")
	f.Add("5:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n", v1Mount, "max 1", "max")
	f.Add("0::/../x\n", "36 24 0:30 /.. /mnt rw - cgroup2 cgroup2 rw", "", "")
	f.Fuzz(func(t *testing.T, self, mounts, cpu, memory string) {
		got, daemon, err := capacity.LinuxResources(tree(map[string]string{
			"proc/self/cgroup":           self,
			"proc/self/mountinfo":        mounts,
			"sys/fs/cgroup/a/cpu.max":    cpu,
			"sys/fs/cgroup/a/memory.max": memory,
			"sys/fs/cgroup/cpu.max":      cpu,
		}), 8)
		if err != nil {
			return
		}
		for _, name := range []string{"cores", "memoryMB"} {
			require.GreaterOrEqual(t, got[name], int64(0))
			require.LessOrEqual(t, got[name], ask(8, 12288)[name])
			require.Positive(t, daemon[name])
		}
	})
}
