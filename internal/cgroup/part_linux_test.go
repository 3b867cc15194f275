package cgroup

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// fakeGroup returns a group in one hierarchy whose files are ordinary ones. What is
// written to them is what they have before; nothing is cut off.
func fakeGroup(
	tb testing.TB, v2 bool, l Limits, controllers []string, files map[string]string,
) (*Group, string) {
	tb.Helper()
	h := &hierarchy{place: place{v2: v2, controllers: controllers}, dir: tb.TempDir(), home: -1}
	s := &space{hierarchies: []*hierarchy{h}}
	dir := filepath.Join(h.dir, "1")
	require.NoError(tb, os.Mkdir(dir, 0o755))
	for name, text := range files {
		require.NoError(tb, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	g := newGroup(NewPool(Config{}), s, "1", l)
	return g, dir
}

func contents(tb testing.TB, dir string, names []string) map[string]string {
	tb.Helper()
	found := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(tb, err)
		found[name] = string(text)
	}
	return found
}

// What is written to the files of either version, and what follows from what is in them.
func TestFakeGroups(t *testing.T) {
	t.Parallel()
	all := Limits{Memory: 64 << 20, Cores: 2, Pids: 100}
	for name, c := range map[string]struct {
		v2            bool
		written       map[string]string
		calm, killed  map[string]string
		busy, exhaust map[string]string
	}{
		"version 2": {
			v2: true,
			written: map[string]string{
				"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1",
				"cpu.max": "200000 100000", "cpu.weight": "200", "pids.max": "100",
			},
			calm: map[string]string{
				"cgroup.events": "populated 0\nfrozen 0\n", "cgroup.procs": "",
				"memory.current": "65536\n", "pids.current": "0\n",
				"cpu.stat":      "usage_usec 7\nnr_throttled 0\n",
				"memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
			},
			killed: map[string]string{
				"memory.events": "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\n",
				"memory.peak":   "67112960\n",
			},
			busy:    map[string]string{"memory.current": "66060288\n"},
			exhaust: map[string]string{"cpu.stat": "usage_usec 7\nnr_throttled 1\n"},
		},
		"version 1": {
			written: map[string]string{
				"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864",
				"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "200000",
				"cpu.shares": "2048", "pids.max": "100",
			},
			calm: map[string]string{
				"cgroup.procs": "", "memory.usage_in_bytes": "65536\n", "pids.current": "0\n",
				"cpu.stat":           "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n",
				"memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
				"memory.failcnt":     "0\n",
			},
			killed: map[string]string{
				"memory.oom_control":        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
				"memory.max_usage_in_bytes": "67112960\n", "memory.failcnt": "9\n",
			},
			busy:    map[string]string{"memory.usage_in_bytes": "66060288\n"},
			exhaust: map[string]string{"cpu.stat": "nr_periods 3\nnr_throttled 1\n"},
		},
	} {
		setup := func(tb testing.TB, more map[string]string) (*Group, string) {
			tb.Helper()
			files := maps.Clone(c.calm)
			for name := range c.written {
				files[name] = ""
			}
			maps.Copy(files, more)
			g, dir := fakeGroup(tb, c.v2, all, []string{Memory, CPU, Pids}, files)
			require.NoError(tb, g.make())
			return g, dir
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, dir := setup(t, nil)
			names := slices.Collect(maps.Keys(c.written))
			require.Equal(t, c.written, contents(t, dir, names))
			require.Equal(t, all, g.Holds())
			_, yes := g.KilledForMemory()
			require.False(t, yes)
			require.False(t, g.Short())
			require.True(t, g.reusable())
		})
		t.Run(name+", killed for memory", func(t *testing.T) {
			t.Parallel()
			g, _ := setup(t, c.killed)
			require.False(t, g.reusable(), "also if nobody asks")
			require.False(t, g.Short(), "it has enough")
			g.limits.Memory = LeastMemory
			require.True(t, g.Short())
			peak, yes := g.KilledForMemory()
			require.True(t, yes)
			require.Equal(t, int64(67112960), peak)
		})
		t.Run(name+", not as it was", func(t *testing.T) {
			t.Parallel()
			zombie := map[string]string{"pids.current": "1\n"}
			for _, more := range []map[string]string{c.busy, c.exhaust, zombie} {
				g, _ := setup(t, more)
				require.False(t, g.reusable())
			}
			g, dir := setup(t, nil)
			require.NoError(t, os.Mkdir(filepath.Join(dir, "below"), 0o755))
			require.False(t, g.reusable())
		})
	}
}

// Old kernels do not know everything.
func TestFilesThatAreMissing(t *testing.T) {
	t.Parallel()
	memory := []string{Memory}
	for name, c := range map[string]struct {
		v2    bool
		files []string
		want  map[string]string
	}{
		"version 2, before 4.19 and without swap": {
			true, []string{"memory.max"}, map[string]string{"memory.max": "8388608"},
		},
		"version 1, without accounting of swap": {
			false,
			[]string{"memory.limit_in_bytes", "memory.swappiness"},
			map[string]string{"memory.limit_in_bytes": "8388608", "memory.swappiness": "0"},
		},
		"version 1, without either": {
			false,
			[]string{"memory.limit_in_bytes"},
			map[string]string{"memory.limit_in_bytes": "8388608"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for _, file := range c.files {
				files[file] = ""
			}
			g, dir := fakeGroup(t, c.v2, Limits{Memory: 8 << 20}, memory, files)
			require.NoError(t, g.make())
			require.Equal(t, c.want, contents(t, dir, c.files))
		})
	}
	g, dir := fakeGroup(t, true, Limits{Memory: 8 << 20}, memory, map[string]string{
		"memory.max": "", "memory.events": "oom_kill 1\n",
	})
	require.NoError(t, g.make())
	peak, yes := g.KilledForMemory() // before 5.19 there is no memory.peak
	require.True(t, yes)
	require.Equal(t, int64(8<<20), peak)
	require.NoError(t, os.Remove(filepath.Join(dir, "memory.max")))
	require.ErrorIs(t, g.make(), os.ErrNotExist, "that one has to be there")
}

// A controller is handed down from the group of this process to those of attempts.
func TestDelegate(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	h := &hierarchy{place: place{v2: true, dir: base}, dir: filepath.Join(base, common, "e-x")}
	require.NoError(t, os.MkdirAll(h.dir, 0o755))
	dirs := []string{base, filepath.Dir(h.dir), h.dir}
	for _, dir := range dirs {
		file := filepath.Join(dir, "cgroup.subtree_control")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(base, "cgroup.subtree_control"),
		[]byte("cpu memory\n"), 0o600))
	require.ErrorIs(t, h.enable(Memory), os.ErrNotExist, "it does not limit")
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "memory.max"), nil, 0o600))
	require.NoError(t, h.enable(Memory))
	for i, want := range []string{"cpu memory", "+memory", "+memory"} {
		text, err := os.ReadFile(filepath.Join(dirs[i], "cgroup.subtree_control"))
		require.NoError(t, err)
		require.Equal(t, want, strings.TrimSpace(string(text)))
	}
}

// A group that has processes of its own cannot hand controllers down, and what the
// kernel would let it do makes its groups unusable.
func TestDelegateOccupied(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	control := filepath.Join(dir, "cgroup.subtree_control")
	for name, text := range map[string]string{
		control: "", dir + "/cgroup.procs": "1\n", dir + "/cgroup.type": "domain\n",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	require.ErrorIs(t, delegate(dir, CPU), unix.EBUSY)
	require.Equal(t, map[string]string{"cgroup.subtree_control": ""},
		contents(t, dir, []string{"cgroup.subtree_control"}))
	require.NoError(t, os.Remove(dir+"/cgroup.type"))
	require.NoError(t, delegate(dir, CPU), "the root of all groups may have both")
	require.NoError(t, os.WriteFile(dir+"/cgroup.type", nil, 0o600))
	require.NoError(t, os.WriteFile(dir+"/cgroup.procs", nil, 0o600))
	require.NoError(t, delegate(dir, Pids))
}

// A group that was given away has its controllers; those below it have none yet.
func TestControllersOfGivenGroup(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	own := filepath.Join(above, "engine")
	require.NoError(t, os.Mkdir(own, 0o755))
	require.NoError(t, os.WriteFile(above+"/cgroup.controllers", []byte("cpu io pids\n"), 0o600))
	require.NoError(t, os.WriteFile(above+"/cgroup.type", []byte("domain\n"), 0o600))
	p, err := place{v2: true, dir: own, top: above}.atBase()
	require.NoError(t, err)
	require.Equal(t, place{v2: true, dir: above, top: above, controllers: []string{CPU, Pids}}, p)
}
