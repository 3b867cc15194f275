package executortest

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// A lab is what one check works in: a fresh executor and everything that is
// started with it.
type lab struct {
	testing.TB
	config   Config
	executor executor.Executor
	holds    []*hold
	trials   []*trial
}

func newLab(tb testing.TB, c Config) *lab {
	tb.Helper()
	c = c.withDefaults()
	return &lab{TB: tb, config: c, executor: c.New(tb)}
}

// impatient takes an executor with a short grace time.
func (l *lab) impatient() {
	l.Helper()
	l.executor = l.config.Impatient(l)
}

// tidy ends what is still there, so that not even a broken executor leaves jobs
// behind.
func (l *lab) tidy() {
	for _, t := range l.trials {
		t.cancel(errors.New("executortest: the check is over"))
	}
	for _, h := range l.holds {
		h.close()
	}
	for _, t := range l.trials {
		if !l.within(t.done) {
			l.Errorf("Run has not returned, %v after all of its work was let go", l.config.Patience)
			return
		}
	}
}

// within waits for done, but not for ever.
func (l *lab) within(done <-chan struct{}) bool { return wait(done, l.config.Patience) }

func wait(done <-chan struct{}, most time.Duration) bool {
	select {
	case <-done:
		return true
	default:
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// weaker logs that something is not checked, if a reason is declared. A job that
// is missing without one is a mistake in the Config.
func (l *lab) weaker(reason string, missing bool, what string) bool {
	l.Helper()
	switch {
	case reason != "":
		l.Logf("not checked, declared: %s", reason)
		return true
	case missing:
		l.Fatalf("Config.Jobs.%s is nil, and Config.Weaker does not say why", what)
	}
	return false
}

// attempt returns a new attempt at job.
func (l *lab) attempt(job dag.Job) *executor.Attempt {
	return &executor.Attempt{
		Run:      "executortest",
		Task:     "task",
		Instance: "task_1",
		Number:   1,
		Key:      "executortest-" + strings.ToLower(rand.Text()),
		Job:      job,
		Stdout:   io.Discard,
		Stderr:   io.Discard,
	}
}

// A trial is one call of Run.
type trial struct {
	*executor.Attempt
	lab            *lab
	stdout, stderr *sink
	cancel         context.CancelCauseFunc
	running        chan struct{} // closed at the first Running status
	done           chan struct{} // closed when Run has returned
	result         executor.Result
	err            error
	panicked       bool

	mu       sync.Mutex
	heard    bool // any status
	reported bool // Running
	over     bool // Run has returned
	late     bool // reported when it was over
}

// start calls Run for a new attempt at job.
func (l *lab) start(job dag.Job) *trial { return l.launch(l.executor, l.attempt(job), nil) }

// launch calls Run for a copy of a with new outputs, except for those that are
// not io.Discard. If ended is not nil, ctx has ended with it beforehand.
func (l *lab) launch(ex executor.Executor, a *executor.Attempt, ended error) *trial {
	ctx, cancel := context.WithCancelCause(l.Context())
	if ended != nil {
		cancel(ended)
	}
	t := &trial{
		lab:     l,
		stdout:  &sink{},
		stderr:  &sink{},
		cancel:  cancel,
		running: make(chan struct{}),
		done:    make(chan struct{}),
	}
	attempt := *a
	t.Attempt = &attempt
	if t.Stdout == io.Discard {
		t.Stdout = t.stdout
	}
	if t.Stderr == io.Discard {
		t.Stderr = t.stderr
	}
	t.OnReport = t.report
	l.trials = append(l.trials, t)
	go t.call(ctx, ex)
	return t
}

func (t *trial) call(ctx context.Context, ex executor.Executor) {
	defer close(t.done)
	defer func() {
		if v := recover(); v != nil {
			t.panicked = true
			t.err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
		t.mu.Lock()
		t.over = true
		t.mu.Unlock()
	}()
	t.result, t.err = ex.Run(ctx, t.Attempt)
}

func (t *trial) report(s executor.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.late = t.late || t.over
	t.heard = true
	if s.Running && !t.reported {
		t.reported = true
		close(t.running)
	}
}

// wait waits until Run has returned, and returns the same.
func (t *trial) wait() (executor.Result, error) {
	t.lab.Helper()
	t.settle()
	return t.result, t.err
}

// returned reports whether Run returns within a moment.
func (t *trial) returned() bool { return wait(t.done, t.lab.config.quiet) }

// settle waits until Run has returned, whatever it returned.
func (t *trial) settle() {
	t.lab.Helper()
	if !t.lab.within(t.done) {
		t.lab.Fatalf("Run has not returned after %v", t.lab.config.Patience)
	}
}

// failed waits and reports whether the attempt did not succeed.
func (t *trial) failed() bool {
	t.lab.Helper()
	res, err := t.wait()
	return err != nil || !res.OK()
}

// succeed waits for the end of the attempt, which must be a success.
func (t *trial) succeed() executor.Result {
	t.lab.Helper()
	res, err := t.wait()
	if err != nil {
		t.lab.Fatalf("Run(%q): %v, want success", t.Job.Command, err)
	}
	if !res.OK() {
		t.lab.Fatalf("Run(%q): %v (%s), want success; stderr: %.1000q",
			t.Job.Command, res, res.Message, t.stderr.bytes())
	}
	return res
}

// printed checks what the attempt wrote to its stdout.
func (t *trial) printed(want string) {
	t.lab.Helper()
	if got := string(t.stdout.bytes()); got != want {
		t.lab.Errorf("stdout is %.1000q, want %.1000q", got, want)
	}
}
