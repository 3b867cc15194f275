package crash_test

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/helperproc"
)

// The judges see what they are there to see.
func TestJudges(t *testing.T) {
	t.Parallel()
	once := life{starts: []string{"k-0-0-1"}, ends: []string{"k-0-0-1"}, oks: 1}
	for _, tc := range []struct {
		name    string
		life    life
		exactly string // what is wrong if nothing was ended by force
		atLeast string // and if something may have been
	}{
		{"once", once, "", ""},
		{"never", life{}, "a succeeded 0 times", "a never succeeded"},
		{
			"success twice",
			life{
				starts: []string{"k-0-0-1", "k-0-0-2"}, ends: []string{"k-0-0-1", "k-0-0-2"},
				oks: 2,
			},
			"a succeeded 2 times",
			"a started as k-0-0-2 after its attempt 1 succeeded",
		},
		{
			"failed of itself",
			life{
				starts: []string{"k-0-0-0", "k-0-0-1"}, ends: []string{"k-0-0-0", "k-0-0-1"},
				oks: 1, fails: 1,
			},
			"a failed 1 times", "",
		},
		{
			"two at a time",
			life{
				starts: once.starts, ends: once.ends, oks: 1, overlaps: []string{"k-0-0-1"},
			},
			"a ran beside itself: [k-0-0-1]", "a ran beside itself: [k-0-0-1]",
		},
		{
			"a key twice",
			life{starts: []string{"k-0-0-1", "k-0-0-1"}, ends: once.ends, oks: 1},
			"a started twice under a key: [k-0-0-1 k-0-0-1]", "",
		},
		{
			"never ended",
			life{starts: []string{"k-0-0-0", "k-0-0-1"}, ends: once.ends, oks: 1},
			"a started as [k-0-0-0 k-0-0-1] and ended as [k-0-0-1]", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			all, fails := map[string]life{"a": tc.life}, map[string]int{"a": 0}
			done := map[string]int{"a": 1}
			wants := func(want string) []string {
				if want == "" {
					return nil
				}
				return []string{want}
			}
			require.Equal(t, wants(tc.exactly), exactlyOnce(all, fails))
			require.Equal(t, wants(tc.atLeast), atLeastOnce(all, fails, done, true))
		})
	}
	strange := map[string]life{"b": once}
	require.Equal(t, []string{"b ran, and should not have"}, exactlyOnce(strange, nil))
}

// A process that is left is found.
func TestJudgeFindsProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	argv := helperproc.Command("hang", dir)
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DAGGY_KEY=k-0-0-1")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(stdout, make([]byte, len("ready\n")))
	require.NoError(t, err)
	pids, err := left(dir)
	require.NoError(t, err)
	require.Equal(t, []int{cmd.Process.Pid}, pids)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	pids, err = left(dir)
	require.NoError(t, err)
	require.Empty(t, pids)
}
