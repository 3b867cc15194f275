package cgroup

import (
	"math"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func fake(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

const (
	mountUnified = "30 24 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
	mountHybrid  = "31 24 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	mountMemory  = "32 24 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	mountCPU     = "33 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	mountPids    = "34 24 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
	mountFreezer = "35 24 0:31 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
)

// Where groups can be made, on the kinds of machines that there are.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		groups, mounts, controllers string
		want                        []place
	}{
		"version 2": {
			"0::/system.slice/x.service\n", mountUnified, "cpuset cpu io memory pids\n",
			[]place{{
				true, "/sys/fs/cgroup/system.slice/x.service",
				[]string{Memory, CPU, Pids},
				"/sys/fs/cgroup",
			}},
		},
		"version 2, in its root": {
			"0::/\n", mountUnified, "memory\n",
			[]place{{true, "/sys/fs/cgroup", []string{Memory}, "/sys/fs/cgroup"}},
		},
		"version 1": {
			"5:freezer:/\n4:pids:/a\n3:cpu,cpuacct:/a\n2:memory:/a/b\n",
			mountMemory + mountCPU + mountPids + mountFreezer, "",
			[]place{
				{false, "/sys/fs/cgroup/freezer", []string{freezer}, ""},
				{false, "/sys/fs/cgroup/memory/a/b", []string{Memory}, ""},
				{false, "/sys/fs/cgroup/pids/a", []string{Pids}, ""},
				{false, "/sys/fs/cgroup/cpu,cpuacct/a", []string{CPU}, ""},
			},
		},
		"both, version 2 without controllers": {
			"2:memory:/a\n0::/a\n", mountMemory + mountHybrid, "hugetlb\n",
			[]place{
				{true, "/sys/fs/cgroup/unified/a", nil, "/sys/fs/cgroup/unified"},
				{false, "/sys/fs/cgroup/memory/a", []string{Memory}, ""},
			},
		},
		"controllers mounted together": {
			"3:pids,memory,freezer:/a\n",
			"35 24 0:31 / /sys/fs/cgroup/all rw - cgroup cgroup rw,freezer,memory,pids\n", "",
			[]place{{false, "/sys/fs/cgroup/all/a", []string{freezer, Memory, Pids}, ""}},
		},
		"a container that sees its own group alone": {
			"2:memory:/docker/1\n",
			"32 24 0:28 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "",
			[]place{{false, "/sys/fs/cgroup/memory", []string{Memory}, ""}},
		},
		"a group outside of what is mounted": {
			"0::/../x\n", mountUnified, "memory\n", nil,
		},
		"a mount of somebody else's group": {
			"2:memory:/docker/12\n",
			"32 24 0:28 /docker/1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n", "", nil,
		},
		"a space in a path": {
			"2:memory:/\n", "32 24 0:28 / /the\\040groups rw - cgroup cgroup rw,memory\n", "",
			[]place{{false, "/the groups", []string{Memory}, ""}},
		},
		"none": {"", "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := fake(map[string]string{
				"proc/self/cgroup": c.groups, "proc/self/mountinfo": c.mounts,
			})
			for _, p := range c.want {
				if p.v2 {
					file := &fstest.MapFile{Data: []byte(c.controllers)}
					root[p.dir[1:]+"/cgroup.controllers"] = file
				}
			}
			l, err := readLayout(root)
			require.NoError(t, err)
			require.Equal(t, c.want, l.places())
		})
	}
}

func TestLayoutThatIsNone(t *testing.T) {
	t.Parallel()
	for _, files := range []map[string]string{
		{"proc/self/cgroup": "memory\n"},
		{"proc/self/cgroup": "2:memory:a\n"},
		{"proc/self/mountinfo": "32 24 0:28 /\n"},
	} {
		_, err := readLayout(fake(files))
		require.ErrorContains(t, err, "unexpected line")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	all := Limits{Memory: 64 << 20, Cores: 2, Pids: 100}
	for name, c := range map[string]struct {
		v2         bool
		controller string
		want       map[string]string
		order      []string
	}{
		"memory, version 2": {true, Memory, map[string]string{
			"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1",
		}, []string{"memory.max", "memory.swap.max", "memory.oom.group"}},
		"memory, version 1": {false, Memory, map[string]string{
			"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864",
		}, []string{"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}},
		"cpu, version 2": {true, CPU, map[string]string{
			"cpu.max": "200000 100000", "cpu.weight": "200",
		}, []string{"cpu.max", "cpu.weight"}},
		"cpu, version 1": {false, CPU, map[string]string{
			"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "200000", "cpu.shares": "2048",
		}, []string{"cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.shares"}},
		"pids": {true, Pids, map[string]string{"pids.max": "100"}, []string{"pids.max"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var order []string
			for _, s := range settings(c.v2, c.controller, all.of(c.controller)) {
				order = append(order, s.file)
				require.Equal(t, c.want[s.file], s.value)
			}
			require.Equal(t, c.order, order)
			require.Contains(t, order, limitFile(c.v2, c.controller))
		})
	}
	require.Equal(t, int64(LeastMemory), Limits{Memory: 1}.of(Memory))
	require.Equal(t, int64(2), Limits{Pids: 1}.of(Pids))
	require.Zero(t, Limits{}.of(Memory))
	require.Equal(t, "10000", weight(true, 1000).value)
	require.Equal(t, "262144", weight(false, 1000).value)
}

func TestKeyed(t *testing.T) {
	t.Parallel()
	text := []byte("low 0\noom 3\noom_kill 12\nbad x\nhuge 99999999999999999999\n")
	n, ok := keyed(text, "oom_kill")
	require.True(t, ok)
	require.Equal(t, int64(12), n)
	for _, word := range []string{"oo", "max", "bad", "huge", ""} {
		_, ok := keyed(text, word)
		require.False(t, ok, word)
	}
	n, err := number("18446744073709551615")
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), n)
}
