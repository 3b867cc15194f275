package evidence

import (
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// A How says how an attempt came to its end, as its script saw it.
type How string

// The ways there are.
const (
	Itself   How = "-"        // nobody asked it to stop
	Stopped  How = "stop"     // it was asked to stop (SIGTERM)
	Limit    How = "time"     // its time limit was over
	Requeued How = "requeued" // Slurm has ended it and started the job again, which did nothing
	NoDir    How = "dir"      // its working directory could not be entered
	NoOutput How = "output"   // its output files could not be made
)

// A Report is what the script of a job writes when its command has ended.
type Report struct {
	Key string
	// ID is the job's, and Restart how often Slurm had requeued it.
	ID      string
	Restart int
	// Code is the exit status of the command as a shell has it: 128 and the
	// number of a signal if that ended it.
	Code int
	How  How
	// Memory: a process of it was killed because the memory was used up.
	Memory     bool
	Start, End time.Time
	Node       string
	// User and System are the processor time.
	User, System time.Duration
}

const (
	reportMark    = "daggy-exit"
	reportVersion = "1"
	maxReport     = 4096
)

// ParseReport reads a report. It is void unless every part of it is there and
// as it should be: the line twice, so that a torn or an empty file is none.
func ParseReport(b []byte) (Report, bool) {
	if len(b) > maxReport {
		return Report{}, false
	}
	first, rest, ok := strings.Cut(string(b), "\n")
	second, rest, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 || first != second {
		return Report{}, false
	}
	f := strings.Split(first, " ")
	if len(f) != 11 || f[0] != reportMark || f[1] != reportVersion {
		return Report{}, false
	}
	r := Report{Key: f[2], ID: f[3], How: How(f[6]), Memory: f[7] == "1", Node: f[10]}
	var good [2]bool
	r.Restart, good[0] = small(f[4], math.MaxInt32)
	r.Code, good[1] = small(f[5], 255)
	if !good[0] || !good[1] || !isID(r.ID) || r.Key == "" || f[7] != "0" && f[7] != "1" {
		return Report{}, false
	}
	switch r.How {
	case Itself, Stopped, Limit:
	case Requeued, NoDir, NoOutput:
		if r.Code == 0 { // these never are a success
			return Report{}, false
		}
	default:
		return Report{}, false
	}
	var timed [2]bool
	r.Start, timed[0] = epoch(f[8])
	r.End, timed[1] = epoch(f[9])
	if !timed[0] || !timed[1] {
		return Report{}, false
	}
	r.User, r.System = times(rest)
	return r, true
}

func isID(id string) bool {
	ok := false
	return elements(id, func(single string, _ int) { ok = single == id }) && ok
}

func small(s string, most int) (int, bool) {
	n, ok := number(s)
	return n, ok && n <= most
}

// epoch reads seconds since 1970, with or without a fraction.
func epoch(s string) (time.Time, bool) {
	seconds, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n <= 0 || n > 1<<40 || len(fraction) > 9 {
		return time.Time{}, false
	}
	if fraction == "" {
		return time.Unix(n, 0), true
	}
	if !isNumber(fraction) {
		return time.Time{}, false
	}
	nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
	return time.Unix(n, nanos), err == nil
}

// times reads what the shell's times prints: the second line is that of the
// children. Zero if there is none.
func times(s string) (user, system time.Duration) {
	lines := strings.Split(s, "\n")
	if len(lines) < 2 {
		return 0, 0
	}
	f := strings.Fields(lines[1])
	if len(f) != 2 {
		return 0, 0
	}
	user, err1 := time.ParseDuration(f[0])
	system, err2 := time.ParseDuration(f[1])
	if err1 != nil || err2 != nil || user < 0 || system < 0 {
		return 0, 0
	}
	return user, system
}

// Signal returns the name of the signal that ended the command, "" if none did.
// A command that exits with 128 and the number of a signal cannot be told from
// one that was ended by it.
func (r Report) Signal() string {
	return signals[r.Code-128]
}

// signals of Linux that end a process, by number.
var signals = map[int]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
	8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
	14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 24: "SIGXCPU", 25: "SIGXFSZ", 26: "SIGVTALRM",
	27: "SIGPROF", 29: "SIGIO", 30: "SIGPWR", 31: "SIGSYS",
}

// Killed reports whether SIGTERM or SIGKILL ended the command. Slurm sends these
// to all processes of a job that it ends, and the command may be over before the
// script has heard.
func (r Report) Killed() bool {
	return r.Code == 128+int(syscall.SIGTERM) || r.Code == 128+int(syscall.SIGKILL)
}

// Result makes the result of an attempt that ended by itself or was stopped.
func (r Report) Result() executor.Result {
	res := executor.Result{
		ExitCode: r.Code, Node: r.Node, Start: r.Start, End: r.End,
		UserCPU: r.User, SystemCPU: r.System,
	}
	if name := r.Signal(); name != "" {
		res.ExitCode, res.Signal = -1, name
	}
	switch {
	case r.Memory:
		res.Cause = executor.CauseMemory
		res.Message = "a process of it was killed, as it used more memory than the job may"
	case r.How == Limit && r.Code != 0:
		res.Cause = executor.CauseTime
	}
	return res
}
