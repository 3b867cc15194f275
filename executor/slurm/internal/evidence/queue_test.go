package evidence

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// read returns what a listing has, and how many lines of it cannot be read.
func read(out string) ([]string, int) {
	var jobs []string
	unread := Queue([]byte(out), func(name string, index int, j Job) {
		jobs = append(jobs,
			fmt.Sprintf("%s %d %s %s %s %s", name, index, j.ID, j.State, j.Node, j.Reason))
	})
	return jobs, unread
}

// Answers of Slurm 22.05.
func TestQueue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, out string
		jobs      []string
		unread    int
	}{
		{name: "nothing"},
		{
			name: "jobs",
			out:  "daggy|1|COMPLETED|n1|daggy-x|None\ndaggy|211|PENDING||held|JobHeldUser\n",
			jobs: []string{"daggy-x -1 1 COMPLETED n1 ", "held -1 211 PENDING  JobHeldUser"},
		},
		{
			name: "elements", out: "daggy|2_0|RUNNING|n1|a|None\ndaggy|2_17|PENDING||a|Resources\n",
			jobs: []string{"a 0 2_0 RUNNING n1 ", "a 17 2_17 PENDING  Resources"},
		},
		{
			name: "elements in one line", out: "daggy|123_[5-6,9%2]|PENDING||a|Priority\n",
			jobs: []string{
				"a 5 123_5 PENDING  Priority", "a 6 123_6 PENDING  Priority",
				"a 9 123_9 PENDING  Priority",
			},
		},
		{
			name: "steps", out: "daggy|7_[0-8:4]|PENDING||a|\n",
			jobs: []string{"a 0 7_0 PENDING  ", "a 4 7_4 PENDING  ", "a 8 7_8 PENDING  "},
		},
		{
			name: "heterogeneous", out: "daggy|12+0|RUNNING|n1|het|None\n",
			jobs: []string{"het -1 12+0 RUNNING n1 "},
		},
		{
			name: "a name with bars", out: "daggy|3|RUNNING|n1|a|b|c|None\n",
			jobs: []string{"a -1 3 RUNNING n1 b|c|None"},
		},
		{
			name: "a name with lines", out: "daggy|3|RUNNING|n1|two\nlines|4|RUNNING\n",
			jobs: []string{"two -1 3 RUNNING n1 "},
		},
		{
			name: "a reason with everything", out: "daggy|3|PENDING||a|bb: x|y\nError 1\n",
			jobs: []string{"a -1 3 PENDING  bb: x|y"},
		},
		{name: "a warning", out: "squeue: something\n"},
		{name: "a list that is cut short", out: "daggy|1_[1,3,5,7...]|PENDING||a|x\n", unread: 1},
		{name: "no state", out: "daggy|1||n1|a|None\n", unread: 1},
		{name: "a torn line", out: "daggy|1|RUN", unread: 1},
		{name: "a torn name", out: "daggy|1|RUNNING|n1|a", unread: 1},
		{name: "no id", out: "daggy|x|RUNNING|n1|a|None\n", unread: 1},
		{name: "too many elements", out: "daggy|1_[0-9999999]|PENDING||a|x\n", unread: 1},
		{name: "backwards", out: "daggy|1_[9-1]|PENDING||a|x\n", unread: 1},
		{name: "no step", out: "daggy|1_[1-9:0]|PENDING||a|x\n", unread: 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			jobs, unread := read(tc.out)
			require.Equal(t, tc.jobs, jobs)
			require.Equal(t, tc.unread, unread)
		})
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"7", "12_[3,4,9]", "13_1", "14+1", "15_[1-2]"},
		Together([]string{"7", "12_3", "12_4", "13_1", "14+1", "12_9", "15_[1-2]"}))
}

func FuzzQueue(f *testing.F) {
	for _, seed := range []string{
		"daggy|1|COMPLETED|n1|x|None\n", "daggy|2_0|RUNNING|n1|a|None\n",
		"daggy|123_[5-9%2]|PENDING||a|Priority\n", "daggy|12+0|RUNNING|n1|het|None\n",
		"daggy|1_[0-8:2,11]|PENDING||a|b|c\nrest\n", "daggy|1_[1,3...]|OUT_OF_ME+||a|x\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		lines, ours := 0, 0
		for line := range strings.Lines(string(out)) {
			lines++
			if strings.HasPrefix(line, queueMark) {
				ours++
			}
		}
		n := 0
		unread := Queue(out, func(_ string, index int, j Job) {
			n++
			if !isID(j.ID) || j.State == "" || index < -1 {
				t.Errorf("%q became %+v, %d", out, j, index)
			}
		})
		if unread > ours || n > 0 && unread == ours {
			t.Errorf("%d of %d lines unread, %d jobs", unread, ours, n)
		}
	})
}
