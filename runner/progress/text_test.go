package progress

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s":     -time.Second,
		"180µs":  182 * time.Microsecond,
		"120ms":  123456 * time.Microsecond,
		"1.2s":   1234 * time.Millisecond,
		"12s":    12345 * time.Millisecond,
		"1m0s":   59999 * time.Millisecond,
		"59m59s": time.Hour - time.Second,
		"1h0m":   time.Hour,
		"47h59m": 48*time.Hour - time.Minute,
		"2d0h":   48*time.Hour - time.Second,
		"3d4h":   76*time.Hour + 59*time.Minute,
	} {
		require.Equal(t, want, duration(d), d)
	}
}

func TestPerSecond(t *testing.T) {
	t.Parallel()
	for want, rate := range map[string]float64{
		"1234567/s": 1234567, "10/s": 10, "9.5/s": 9.5, "1.0/s": 1,
		"6.0/min": 0.1, "1.0/min": 1.0 / 60, "6.0/h": 0.1 / 60, "0.1/h": 0.1 / 3600,
	} {
		require.Equal(t, want, perSecond(rate), rate)
	}
}

func TestClip(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		columns    int
		want       string
	}{
		{"fits", "hello", 5, "hello"},
		{"no limit", "hello", -1, "hello"},
		{"clipped", "hello world", 8, "hello..."},
		{"only dots", "hello", 3, "..."},
		{"fewer dots", "hello", 2, ".."},
		{"nothing", "hello", 0, ""},
		{"empty", "", 0, ""},
		{"wide", "名前名前", 8, "名前名前"},
		{"wide, clipped", "名前名前", 7, "名前..."},
		{"wide, not cut in half", "名前名前", 6, "名..."},
		{"accents", "éééééé", 5, "éé..."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, clip(tc.text, tc.columns))
		})
	}
}

// A block leaves the row of the cursor free, whatever is asked for.
func TestShare(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name                            string
		height, running, failed         int
		wantRunning, wantFailed, fitsIn int
	}{
		{"room for all", 24, 5, 3, 5, 3, 24},
		{"just enough", 12, 5, 3, 5, 3, 12},
		{"some of each", 8, 5, 3, 2, 2, 8},
		{"failures first", 5, 5, 3, 0, 1, 5},
		{"no lists", 4, 5, 3, 0, 0, 4},
		{"no room at all", 1, 5, 3, 0, 0, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			running, failed := share(tc.height, tc.running, tc.failed)
			require.Equal(t, tc.wantRunning, running)
			require.Equal(t, tc.wantFailed, failed)
			require.LessOrEqual(t, running+failed+4, tc.fitsIn)
		})
	}
}

func TestModeText(t *testing.T) {
	t.Parallel()
	for _, m := range []Mode{Auto, Live, Lines, Off} {
		text, err := m.MarshalText()
		require.NoError(t, err)
		require.Equal(t, m.String(), string(text))
		var back Mode
		require.NoError(t, back.UnmarshalText(text))
		require.Equal(t, m, back)
	}
	var m Mode
	require.ErrorContains(t, m.UnmarshalText([]byte("Auto")), "auto, live, lines or off")
	_, err := Mode(7).MarshalText()
	require.Error(t, err)
	require.Equal(t, "Mode(-1)", Mode(-1).String())
}

// The rate is that of the last minute or, if nothing ended then, of all the time.
func TestPace(t *testing.T) {
	t.Parallel()
	start := time.Now()
	p := newPace(start)
	at := func(d time.Duration, done int) float64 { return p.rate(start.Add(d), done) }
	require.Zero(t, at(0, 10), "no time has passed")
	require.InEpsilon(t, 10.0, at(time.Second, 10), 1e-9)
	for s := 2; s <= 100; s++ {
		require.InEpsilon(t, 10.0, at(time.Duration(s)*time.Second, 10*s), 1e-9)
	}
	require.LessOrEqual(t, len(p.marks), 62)
	require.InEpsilon(t, 5.0, at(130*time.Second, 1000), 1e-9, "half of it in the last minute")
	require.InEpsilon(t, 1.0, at(1000*time.Second, 1000), 1e-9, "nothing in the last minute")
	require.InEpsilon(t, 1.0, p.overall(start.Add(1000*time.Second), 1000), 1e-9)
	p.skip(500)
	require.InEpsilon(t, 0.5, p.overall(start.Add(1000*time.Second), 1000), 1e-9)
	require.Zero(t, at(-time.Hour, 2000), "the clock was set back")
}

// Whatever is given, what is shown is printable and no longer than asked for.
func FuzzName(f *testing.F) {
	for _, seed := range []string{
		"", "plain", "\x1b[2J", "a\nb\r\x00", "\xff\xfe", "名前", "\u202e\u200b\u009b", `\x1b`,
		strings.Repeat("x", 100), strings.Repeat("\x1b", 100), "e\u0301",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		shown := name(s)
		require.True(t, utf8.ValidString(shown))
		require.Equal(t, -1, strings.IndexFunc(shown, func(r rune) bool {
			return unicode.IsControl(r) || !unicode.IsPrint(r)
		}))
		columns := 0
		for _, r := range shown {
			columns += columnsOf(r)
		}
		require.LessOrEqual(t, columns, maxName)
		if quote(s) == s && utf8.RuneCountInString(s) <= maxName/2 {
			require.Equal(t, s, shown)
		}
	})
}
