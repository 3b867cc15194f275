package servertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// program returns the path of the program that matches one of the patterns, the
// last of them by name, and installs the package that has it if there is none.
// The test fails if it cannot be had.
func program(tb testing.TB, pkg string, patterns ...string) string {
	tb.Helper()
	if found := find(tb, patterns); found != "" {
		return found
	}
	apt, err := exec.LookPath("apt-get")
	if os.Getuid() != 0 || err != nil {
		require.FailNowf(tb, "a server is missing",
			"there is no %s; on Debian: sudo apt-get install %s", patterns[0], pkg)
	}
	// Tests of several packages run at once, and apt-get does not wait for
	// another one that updates its lists.
	defer lock(tb, filepath.Join(os.TempDir(), "servertest-install.lock"))()
	if found := find(tb, patterns); found != "" {
		return found
	}
	install(tb, apt, pkg)
	found := find(tb, patterns)
	require.NotEmpty(tb, found, "package %s has no %s", pkg, patterns[0])
	return found
}

func find(tb testing.TB, patterns []string) string {
	tb.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(pattern)
		require.NoError(tb, err)
		if len(paths) > 0 {
			return slices.Max(paths)
		}
	}
	return ""
}

func install(tb testing.TB, apt, pkg string) {
	tb.Helper()
	tb.Logf("installing %s", pkg)
	for _, args := range [][]string{
		{"update", "-qq"},
		{"install", "-qq", "-y", "--no-install-recommends", pkg},
	} {
		cmd := exec.CommandContext(tb.Context(), apt, args...)
		// The packages start their own servers at boot and when they are
		// installed, unless the system is going down.
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=0")
		out, err := cmd.CombinedOutput()
		require.NoError(tb, err, "%s %q: %s", apt, args, out)
	}
}

// lock waits for the lock of a file, which ends with the process.
func lock(tb testing.TB, path string) (unlock func()) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(tb, err)
	require.NoError(tb, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	return func() { require.NoError(tb, f.Close()) }
}
