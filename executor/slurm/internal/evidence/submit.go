package evidence

import "strings"

// A Submission says what became of a submission.
type Submission uint8

// What can have become of it.
const (
	// Unclear: the job may be in the queue, now or later.
	Unclear Submission = iota
	// Accepted: the job is in the queue.
	Accepted
	// Refused: the same submission will never be accepted.
	Refused
	// Deferred: it was refused for now, and may be accepted later.
	Deferred
)

const (
	submissionFailed = "Batch job submission failed: "
	accountingPolicy = "Job violates accounting/QOS policy"
)

// deferred are refusals that pass: limits on what may be in the queue at a time. That
// on the elements of an array does not, but what is deferred is submitted in smaller
// arrays, and in the end without.
var deferred = []string{
	accountingPolicy,
	"Invalid job array specification",
	"Slurm temporarily unable to accept job",
	"Slurm job queue full",
	"Job creation temporarily disabled",
	"Resource temporarily unavailable",
	"Too many jobs",
	"Job limit",
	"Cannot allocate memory",
	"Node list is being updated",
}

// transport are the words for failures to talk with the controller. What was
// sent may have arrived.
var transport = []string{
	"socket", "timed out", "unable to contact", "zero bytes", "connection", "connect",
	"unexpected message", "i/o error", "send/recv", "communication", "protocol", "munge",
	"authentication", "credential", "stand-by", "standby", "backup controller",
	"interrupted system call", "broken pipe", "no route", "unreachable",
}

// refusedEarly are what sbatch says of its own arguments, before it sends
// anything.
var refusedEarly = []string{
	"unrecognized option", "unknown option", "invalid option", "invalid --", "invalid argument",
	"invalid numeric value", "invalid time", "invalid directive", "requires an argument",
	"is not a valid", "invalid generic resource", "invalid node count", "invalid wckey",
	"invalid count", "you must be root", "invalid user id", "couldn't find user",
	"invalid job array", "bad constraint", "invalid memory", "invalid tmp value",
	"invalid qos", "invalid account", "invalid partition", "only root",
	"this does not look like a batch script",
}

// ParseSubmission reads the answer of "sbatch --parsable". The id is set if it
// was accepted; the words are Slurm's own otherwise.
func ParseSubmission(stdout, stderr string, exit int) (s Submission, id, words string) {
	words = slurmWords(stderr)
	if exit == 0 {
		// A plug-in may print lines of its own; the id is on the last.
		lines := strings.Fields(stdout)
		if len(lines) == 0 {
			return Unclear, "", words
		}
		id, _, _ = strings.Cut(lines[len(lines)-1], ";") // the cluster's name follows
		if !isNumber(id) {
			return Unclear, "", words
		}
		return Accepted, id, words
	}
	_, why, answered := strings.Cut(stderr, submissionFailed)
	switch lower := strings.ToLower(stderr); {
	case answered && containsAny(strings.ToLower(why), transport),
		!answered && strings.Contains(lower, "retrying"):
		// What sbatch says before is of earlier tries.
		return Unclear, "", words
	case overLimit(stderr):
		return Refused, "", words
	case Crowded(stderr):
		return Deferred, "", words
	case answered:
		return Refused, "", words
	case !answered && containsAny(lower, refusedEarly) && !containsAny(lower, transport):
		return Refused, "", words
	}
	return Unclear, "", words
}

// Crowded reports whether sbatch has said that there are, or would be, too many jobs
// in the queue.
func Crowded(stderr string) bool { return containsAny(stderr, deferred) }

// overLimit reports whether a job asks for more than its account or QOS may have. The
// words of the failure are those for too many jobs in the queue, too; which limit it
// is is said before them, in a word such as QOSMaxWallDurationPerJobLimit.
func overLimit(stderr string) bool {
	said, _, found := strings.Cut(stderr, submissionFailed+accountingPolicy)
	if !found {
		return false
	}
	for line := range strings.Lines(said) {
		limit := strings.TrimPrefix(strings.TrimSpace(line), "sbatch: error: ")
		ofAJob := !strings.Contains(limit, "Submit") && !strings.Contains(limit, "Jobs")
		for _, prefix := range []string{"Assoc", "QOS", "Max"} {
			if ofAJob && strings.HasPrefix(limit, prefix) && !strings.ContainsAny(limit, " :") {
				return true
			}
		}
	}
	return false
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// maxWords bounds what is kept of what a command says.
const maxWords = 1000

// slurmWords makes one line of what a command wrote to its stderr, without the
// name of the command.
func slurmWords(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		for _, prefix := range []string{
			"sbatch: ", "squeue: ", "scancel: ", "sacct: ", "scontrol: ",
			"slurm_load_jobs ", "error: ", "fatal: ",
		} {
			line = strings.TrimPrefix(line, prefix)
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	words := strings.Join(lines, "; ")
	if len(words) > maxWords {
		words = strings.ToValidUTF8(words[:maxWords], "") + "…"
	}
	return words
}

// Words returns what a command of Slurm's says in its stderr, in one line.
func Words(stderr []byte) string { return slurmWords(string(stderr)) }
