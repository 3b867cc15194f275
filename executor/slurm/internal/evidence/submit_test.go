package evidence

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Answers of sbatch, most of them of Slurm 22.05.
func TestSubmission(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, stdout string
		exit         int
		want         Submission
		id           string
	}{
		{name: "taken", stdout: "17\n", want: Accepted, id: "17"},
		{name: "in a cluster", stdout: "17;north\n", want: Accepted, id: "17"},
		{name: "a plug-in talks", stdout: "Welcome!\n18\n", want: Accepted, id: "18"},
		{name: "nothing", want: Unclear},
		{name: "no id", stdout: "Submitted\n", want: Unclear},
		{name: "not a number", stdout: "17x\n", want: Unclear},
		{name: "killed", exit: -1, want: Unclear},
		{name: "an id and a failure", stdout: "17\n", exit: 1, want: Unclear},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, id, _ := ParseSubmission(tc.stdout, "", tc.exit)
			require.Equal(t, tc.want, got)
			require.Equal(t, tc.id, id)
		})
	}
}

// What sbatch says when it fails.
func TestFailedSubmission(t *testing.T) {
	t.Parallel()
	const failed = "sbatch: error: Batch job submission failed: "
	const policy = "Job violates accounting/QOS policy (job submit limit, user's size and/or" +
		" time limits)"
	for _, tc := range []struct {
		want   Submission
		stderr string
	}{
		{Refused, failed + "Invalid partition name specified"},
		{Refused, failed + "Requested node configuration is not available"},
		{Refused, "sbatch: error: Memory specification can not be satisfied\n" +
			failed + "Requested node configuration is not available"},
		{Refused, failed + "Invalid account or account/partition combination specified"},
		{Refused, "sbatch: unrecognized option '--nonsense'\nTry \"sbatch --help\""},
		{Refused, "sbatch: error: Invalid numeric value \"x\" for --mincpus."},
		{Deferred, failed + policy},
		{Deferred, "sbatch: error: QOSMaxSubmitJobPerUserLimit\n" + failed + policy},
		{Deferred, "sbatch: error: AssocGrpSubmitJobsLimit\n" + failed + policy},
		{Refused, "sbatch: error: QOSMaxWallDurationPerJobLimit\n" + failed + policy},
		{Deferred, "sbatch: error: MaxSubmitJobsPerAccount\n" + failed + policy},
		{Deferred, "sbatch: error: AssocGrpJobsLimit\n" + failed + policy},
		{Refused, "sbatch: error: AssocMaxCpuPerJobLimit\n" + failed + policy},
		{Refused, "sbatch: error: QOSMaxMemoryPerJob\n" + failed + policy},
		{Refused, "sbatch: error: MaxGRESPerAccount\n" + failed + policy},
		{Deferred, "sbatch: error: Max is full: wait\n" + failed + policy},
		{Deferred, "sbatch: error: Slurm job queue full, sleeping and retrying\n" + failed +
			"Unable to create job record, try again"},
		{Deferred, failed + "Invalid job array specification"},
		{Deferred, failed + "Slurm temporarily unable to accept job, sleeping and retrying"},
		{Deferred, "sbatch: error: Too many jobs of yours\n" + failed + "Unspecified error"},
		// sbatch tries again by itself, and that may arrive.
		{Unclear, "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n" +
			failed + "Socket timed out on send/recv operation"},
		{Unclear, "sbatch: error: Slurm job queue full, sleeping and retrying"},
		{Unclear, failed + "Socket timed out on send/recv operation"},
		{Unclear, failed + "Unable to contact slurm controller (connect failure)"},
		{Unclear, failed + "Zero Bytes were transmitted or received"},
		{Unclear, "sbatch: error: Munge encode failed\n" +
			failed + "Protocol authentication error"},
		{Unclear, "sbatch: fatal: Could not establish a configuration source"},
		{Unclear, "sbatch: error: something new"},
		{Unclear, ""},
	} {
		t.Run(tc.stderr, func(t *testing.T) {
			t.Parallel()
			got, id, _ := ParseSubmission("", tc.stderr+"\n", 1)
			require.Equal(t, tc.want, got)
			require.Empty(t, id)
		})
	}
}

// Words are one line, without the name of the command.
func TestWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, "first; submission failed: second",
		Words([]byte("sbatch: error: first\n\nsbatch: error: submission failed: second\n")))
}

func FuzzSubmission(f *testing.F) {
	f.Add("17\n", "", 0)
	f.Add("17;c\n", "sbatch: warning\n", 0)
	f.Add("", "sbatch: error: Batch job submission failed: Invalid partition name specified\n", 1)
	f.Fuzz(func(t *testing.T, stdout, stderr string, exit int) {
		s, id, words := ParseSubmission(stdout, stderr, exit)
		accepted := s == Accepted
		if accepted != (id != "") || accepted && (exit != 0 || !isNumber(id)) {
			t.Errorf("%v, %q of %q, %q, %d", s, id, stdout, stderr, exit)
		}
		if len(words) > maxWords+len("…") {
			t.Errorf("%d bytes of words", len(words))
		}
	})
}
