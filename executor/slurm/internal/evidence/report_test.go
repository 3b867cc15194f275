package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
)

const goodLine = "daggy-exit 1 key-1 12_3 0 0 - 0 1700000000.25 1700000001.5 n1"

func twice(line string) string { return line + "\n" + line + "\n" }

func TestReport(t *testing.T) {
	t.Parallel()
	r, ok := ParseReport([]byte(twice(goodLine) + "0m0.001s 0m0.002s\n0m1.250s 0m0.500s\n"))
	require.True(t, ok)
	require.Equal(t, Report{
		Key: "key-1", ID: "12_3", How: Itself, Node: "n1",
		Start: time.Unix(1700000000, 250_000_000), End: time.Unix(1700000001, 500_000_000),
		User: 1250 * time.Millisecond, System: 500 * time.Millisecond,
	}, r)
	require.True(t, r.Result().OK())
}

// A report is whole or void, wherever it was torn.
func TestTornReport(t *testing.T) {
	t.Parallel()
	text := twice(goodLine)
	for i := range len(text) {
		_, ok := ParseReport([]byte(text[:i]))
		require.False(t, ok, text[:i])
		torn := []byte(text)
		torn[i] = 0
		_, ok = ParseReport(torn)
		require.False(t, ok, "%q", torn)
	}
	for _, bad := range []string{
		"", strings.Repeat("\x00", 200), twice(""), twice("0"),
		twice(strings.Replace(goodLine, "12_3", "x", 1)),
		twice(strings.Replace(goodLine, " 0 0 - ", " 0 256 - ", 1)),
		twice(strings.Replace(goodLine, " 0 0 - ", " 0 -1 - ", 1)),
		twice(strings.Replace(goodLine, " - ", " maybe ", 1)),
		twice(strings.Replace(goodLine, " - ", " requeued ", 1)), // with exit 0
		twice(strings.Replace(goodLine, "daggy-exit 1", "daggy-exit 2", 1)),
		twice(strings.Replace(goodLine, "1700000001.5", "later", 1)),
		twice(goodLine + " more"),
	} {
		_, ok := ParseReport([]byte(bad))
		require.False(t, ok, "%q", bad)
	}
}

func TestResults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		r    Report
		want string
	}{
		{"exit", Report{Code: 3, How: Itself}, "failure (exit 3)"},
		{"signal", Report{Code: 139, How: Itself}, "failure (SIGSEGV)"},
		{"no signal", Report{Code: 255, How: Itself}, "failure (exit 255)"},
		{"no such signal", Report{Code: 160, How: Itself}, "failure (exit 160)"},
		{"time", Report{Code: 143, How: Limit}, "failure (time limit)"},
		{"in time after all", Report{How: Limit}, "success"},
		{"stopped in peace", Report{How: Stopped}, "success"},
		{"memory", Report{Code: 137, How: Itself, Memory: true}, "failure (out of memory)"},
		{"memory and a brave shell", Report{How: Itself, Memory: true}, "failure (out of memory)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, tc.r.Result().String())
		})
	}
	res := Report{Code: 137, Memory: true}.Result()
	require.Equal(t, executor.CauseMemory, res.Cause)
}

// Garbage is never a success: what is taken for a report says so twice.
func FuzzReport(f *testing.F) {
	f.Add([]byte(twice(goodLine)))
	f.Add([]byte(twice(goodLine) + "0m0.001s 0m0.002s\n0m1.250s 0m0.500s\n"))
	f.Add([]byte("0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, ok := ParseReport(b)
		if !ok {
			if r != (Report{}) {
				t.Errorf("half a report: %+v", r)
			}
			return
		}
		first, rest, _ := strings.Cut(string(b), "\n")
		if !strings.HasPrefix(rest, first+"\n") || !strings.HasPrefix(first, reportMark+" 1 ") ||
			len(strings.Fields(first)) != 11 || r.Start.IsZero() {
			t.Errorf("%q is no report: %+v", b, r)
		}
		if code := strings.Fields(first)[5]; r.Result().OK() && strings.Trim(code, "0") != "" {
			t.Errorf("%q is a success", b)
		}
	})
}

func FuzzClaim(f *testing.F) {
	f.Add([]byte("daggy-claim 1 job 12_3 0 n1\n"))
	f.Add(EngineClaim("host:1"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		// Whatever the file has: that it is there means that somebody has the key.
		c := ParseClaim(b)
		if c.Free() || c.Engine && c.ID != "" || c.Known() && !isID(c.ID) {
			t.Errorf("%q is %+v", b, c)
		}
	})
}

func FuzzAccounting(f *testing.F) {
	f.Add([]byte("12|CANCELLED by 0|name\n12_3|TIMEOUT|a\n12_[4-5]|PENDING|a\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		Accounting(b, func(_ string, index int, j Job) {
			if !isID(j.ID) || j.State == "" || index < -1 {
				t.Errorf("%q became %+v", b, j)
			}
		})
	})
}
