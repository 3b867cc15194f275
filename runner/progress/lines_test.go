package progress_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

// One line at every interval, and one at the end.
func TestLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(page)
		display := progress.New(out, progress.Config{})
		d := tasks("one", "two", "bad", "last")
		d.Tasks[3].Parents = []string{"bad"}
		h := start(t, observed(display, script{
			"one": lasting(5 * time.Second),
			"two": lasting(25 * time.Second),
			"bad": failing(12*time.Second, "no such file"),
		}), d)
		pass(9 * time.Second)
		require.Empty(t, out.lines())
		pass(time.Second)
		require.Equal(t, []string{
			"25% 1/4: 1 completed, 2 running, 1 waiting; 6.0/min; ETA 30s; after 10s; " +
				"longest 10s  two",
		}, shortest(out.lines()))
		pass(10 * time.Second)
		require.Equal(t, []string{
			"50% 2/4: 1 completed, 1 running, 1 waiting, 1 failed; 6.0/min; ETA 20s; after 20s; " +
				"longest 20s  two; last failure bad: failure (exit 3): no such file",
		}, out.lines())
		finish(t, display, h)
		require.Equal(t, []string{
			"run failed in 25s: 2 completed, 1 failed, 1 skipped; 9.6/min; " +
				"last failure bad: failure (exit 3): no such file",
		}, out.lines())
	})
}

// shortest has either of two tasks that started at the same time.
func shortest(lines []string) []string {
	for i := range lines {
		lines[i] = strings.Replace(lines[i], "longest 10s  bad", "longest 10s  two", 1)
	}
	return lines
}

func TestLineIntervals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		every time.Duration
		took  time.Duration
		want  []string // the times of the lines
	}{
		{"default", 0, 35 * time.Second, []string{"10s", "20s", "30s", "end"}},
		{"given", time.Minute, 150 * time.Second, []string{"1m0s", "2m0s", "end"}},
		{"over before the first", 0, 9 * time.Second, []string{"end"}},
		{"only the end", -1, time.Minute, []string{"end"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := new(page)
				display := progress.New(out, progress.Config{Every: tc.every})
				// Something ends every second, so that every line is news.
				d := tasks("0")
				s := script{"0": lasting(time.Second)}
				for i := 1; i < int(tc.took/time.Second); i++ {
					next := task(strconv.Itoa(i))
					next.Parents = []string{d.Tasks[i-1].Name}
					d.Tasks = append(d.Tasks, next)
					s[next.Name] = lasting(time.Second)
				}
				finish(t, display, start(t, observed(display, s), d))
				require.Equal(t, tc.want, times(out.lines()))
			})
		})
	}
}

// A line that says nothing new is written at every sixth interval.
func TestQuietLines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(page)
		display := progress.New(out, progress.Config{})
		s := script{"a": lasting(65 * time.Second), "b": lasting(195 * time.Second)}
		finish(t, display, start(t, observed(display, s), tasks("a", "b")))
		require.Equal(t, []string{"10s", "1m10s", "2m10s", "3m10s", "end"}, times(out.lines()))
	})
}

// times returns when lines were written.
func times(lines []string) []string {
	var list []string
	for _, line := range lines {
		at := "end"
		for part := range strings.SplitSeq(line, "; ") {
			if after, ok := strings.CutPrefix(part, "after "); ok {
				at = after
			}
		}
		list = append(list, at)
	}
	return list
}

// Auto draws on terminals only.
func TestNoTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	var buffer bytes.Buffer
	for name, out := range map[string]io.Writer{"buffer": &buffer, "file": file} {
		t.Run(name, func(t *testing.T) {
			display := progress.New(out, progress.Config{})
			_, err := observed(display, nil).Run(t.Context(), tasks("a"))
			require.NoError(t, err)
			require.NoError(t, display.Close())
		})
	}
	written, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	for _, text := range []string{buffer.String(), string(written)} {
		require.Regexp(t, `^run completed in \d.*: 1 completed; .*\n$`, text)
		require.NotContains(t, text, "\x1b")
	}
}

func TestOff(t *testing.T) {
	t.Parallel()
	out := new(page)
	for name, display := range map[string]*progress.Display{
		"off":       progress.New(out, progress.Config{Mode: progress.Off}),
		"no writer": progress.New(nil, progress.Config{Mode: progress.Live}),
	} {
		t.Run(name, func(t *testing.T) {
			o := display.Observer()
			require.Nil(t, o.RunStarted)
			require.Nil(t, o.AttemptStarting)
			require.Nil(t, o.AttemptEnded)
			r := runner.Runner{Observers: []runner.Observer{o}}
			_, err := r.Run(t.Context(), tasks())
			require.NoError(t, err)
			require.NoError(t, display.Close())
			require.Empty(t, out.lines())
		})
	}
}

func TestLineWidth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := new(page)
		display := progress.New(out, progress.Config{Width: 30})
		finish(t, display, start(t, observed(display, script{
			"a": lasting(15 * time.Second),
		}), tasks("a", "b")))
		require.Equal(t, []string{
			"50% 1/2: 1 completed, 1 run...", "run completed in 15s: 2 com...",
		}, out.lines())
	})
}
