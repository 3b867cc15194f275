package progress_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/runner/progress"
)

// What executors say cannot do anything to a terminal or a log. Nor can names, of
// which dag refuses the worst; [FuzzName] does not count on that.
func TestNothingUnsafeIsShown(t *testing.T) {
	t.Parallel()
	attack := "\x1b[2J\x1b]0;owned\a\r\x00\u009b1A\u202e\u200b\t\x7f\xff"
	escaped := `\x1b[2J\x1b]0;owned\a\r\x00\u009b1A\u202e\u200b\t\x7f\xff`
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out := new(screen)
				display := progress.New(out, progress.Config{
					Mode: mode, Width: 200, Every: time.Second,
				})
				h := start(t, observed(display, script{
					"naïve 名前": lasting(10 * time.Second),
					"bad":      failing(0, attack+"\nanother line"),
				}), tasks("naïve 名前", "bad"))
				pass(5*time.Second + refresh/2)
				require.Contains(t, strings.Join(out.see(t), "\n"), "s  naïve 名前")
				finish(t, display, h)
				text := strings.Join(out.see(t), "\n")
				require.Contains(t, text, "bad: failure (exit 3): "+escaped)
				require.NotContains(t, text, "another line")
				require.True(t, utf8.ValidString(text))
				require.False(t, strings.ContainsAny(text, "\u009b\u202e\u200b\x7f"))
			})
		})
	}
}
