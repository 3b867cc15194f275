package progress_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner/progress"
)

// Names and reasons cannot do anything to a terminal or a log.
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
				name := "naïve 名前 " + strings.ToValidUTF8(attack, "")
				d := &dag.DAG{Tasks: []dag.Task{task("slow"), task("bad"), task(name)}}
				if d.Validate() != nil { // such a name is refused long before
					d.Tasks = d.Tasks[:2]
				}
				h := start(t, observed(display, script{
					"slow": lasting(10 * time.Second),
					"bad":  failing(0, attack+"\nanother line"),
					name:   lasting(5 * time.Second),
				}), d)
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
