package evidence

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	none, engine, mine, unreadable := Claim{}, Claim{Engine: true}, Claim{ID: "7"}, ParseClaim(nil)
	for _, tc := range []struct {
		name  string
		claim Claim
		jobs  string
		says  string // what else the View has
		want  Kind
		fate  Fate
	}{
		{"nothing is known", none, "", "", Wait, NoFate},
		{"closed", engine, "7 RUNNING", "fresh", Closed, NoFate},

		{"pending", none, "7 PENDING", "fresh", Pending, NoFate},
		{"pending, as of before", none, "7 PENDING", "", Wait, NoFate},
		{"starting", none, "7 RUNNING", "fresh", Pending, NoFate},
		{"an unknown word", none, "7 DANCING", "fresh gone", Pending, NoFate},
		{"never submitted", none, "", "fresh unsure", Submit, NoFate},
		{"an old listing is no proof", none, "", "unsure gone", Wait, NoFate},
		{"submitted and not there yet", none, "", "fresh", Wait, NoFate},
		{"forgotten by the controller", none, "", "fresh gone", Unstart, Broken},
		{"cancelled before", none, "7 CANCELLED", "fresh", Unstart, Cancelled},
		{"completed without a claim", none, "7 COMPLETED", "fresh", Unstart, Vanished},
		{"one ended, another waits", none, "7 CANCELLED, 8 PENDING", "fresh gone", Pending, NoFate},

		{"runs", mine, "7 RUNNING", "fresh", Running, NoFate},
		{"runs, unheard of", mine, "", "", Running, NoFate},
		{"runs, and was listed as pending before", mine, "7 PENDING", "", Running, NoFate},
		{"requeued", mine, "7 PENDING", "fresh", Requeue, NoFate},
		{"requeued and held", mine, "7 REQUEUE_HOLD", "fresh", Requeue, NoFate},
		{"another one waits", mine, "8 PENDING", "fresh", Running, NoFate},
		{"a state nobody knows", mine, "7 DANCING", "fresh gone", Running, NoFate},
		{"just ended", mine, "7 COMPLETED", "fresh", Running, NoFate},
		{"completed, no report", mine, "7 COMPLETED", "fresh gone", Over, Vanished},
		{"failed, no report", mine, "7 FAILED", "fresh gone", Over, Vanished},
		{"node failed", mine, "7 NODE_FAIL", "fresh gone", Over, Broken},
		{"no memory", mine, "7 OUT_OF_MEMORY", "fresh gone", Over, OverMemory},
		{"over time", mine, "7 TIMEOUT", "fresh gone", Over, OverTime},
		{"cancelled", mine, "7 CANCELLED", "fresh gone", Over, Cancelled},
		{"not listed", mine, "", "fresh", Running, NoFate},
		{"not listed for long", mine, "", "fresh gone", Missing, NoFate},
		{"unreadable", unreadable, "7 RUNNING", "fresh", Running, NoFate},
		{"unreadable, and nothing there", unreadable, "", "fresh gone", Missing, NoFate},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			view := View{
				Claim:  tc.claim,
				Fresh:  strings.Contains(tc.says, "fresh"),
				Gone:   strings.Contains(tc.says, "gone"),
				Unsure: strings.Contains(tc.says, "unsure"),
			}
			for job := range strings.SplitSeq(tc.jobs, ", ") {
				if id, state, ok := strings.Cut(job, " "); ok {
					view.Jobs = append(view.Jobs, Job{ID: id, State: state})
				}
			}
			v := Judge(view)
			require.Equal(t, tc.want, v.Kind)
			require.Equal(t, tc.fate, v.Fate)
		})
	}
}

func TestPendingSaysWhatHelps(t *testing.T) {
	t.Parallel()
	v := Judge(View{Fresh: true, Jobs: []Job{{ID: "7_1", State: "PENDING", Reason: "JobHeldUser"}}})
	require.Contains(t, v.Text, "scontrol release 7_1")
}

func TestJudgeEnd(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]End{
		"RUNNING": NotYet, "COMPLETING": NotYet, "DANCING": NotYet,
		"COMPLETED": AsIs, "FAILED": AsIs,
		"PENDING": WasLost, "REQUEUED": WasLost, "NODE_FAIL": WasLost, "PREEMPTED": WasLost,
		"BOOT_FAIL": WasLost, "TIMEOUT": WasTime, "DEADLINE": WasTime, "OUT_OF_MEMORY": WasSpace,
		"CANCELLED": WasEnded,
	} {
		r := Report{ID: "7", Code: 143, How: Stopped}
		end, _ := JudgeEnd(r, View{Fresh: true, Jobs: []Job{{ID: "7", State: state}}})
		require.Equal(t, want, end, state)
		end, _ = JudgeEnd(r, View{Jobs: []Job{{ID: "7", State: state}}})
		require.Equal(t, NotYet, end, "an old listing says nothing")
	}
	end, _ := JudgeEnd(Report{ID: "7"}, View{Fresh: true})
	require.Equal(t, NotYet, end)
	end, _ = JudgeEnd(Report{ID: "7"}, View{Fresh: true, Gone: true})
	require.Equal(t, AsIs, end)
}
