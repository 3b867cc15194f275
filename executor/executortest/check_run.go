package executortest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

func validateChecks() []check {
	return []check{
		{"accepts jobs that it can run", func(l *lab) {
			jobs := l.config.Jobs
			for name, job := range map[string]dag.Job{
				"Exit":  jobs.Exit(3),
				"Print": jobs.Print([]byte("out"), []byte("err")),
				"Flood": jobs.Flood(1),
				"Wait":  jobs.Wait("127.0.0.1:1"),
			} {
				if err := l.executor.Validate(job); err != nil {
					l.Errorf("Validate refuses Jobs.%s: %v", name, err)
				}
			}
		}},
		{"accepts placeholders", func(l *lab) {
			job := l.config.Jobs.Exit(0)
			if len(job.Command) == 0 {
				l.Log("not checked: the jobs have no command")
				return
			}
			job.Command = append(slices.Clone(job.Command), "{{NAME}}")
			if err := l.executor.Validate(job); err != nil {
				l.Errorf("Validate refuses %q: %v; parameters are put in later", job.Command, err)
			}
		}},
		{"refuses an unknown option", func(l *lab) {
			if l.weaker(l.config.Weaker.AcceptsAnyJob, false, "") {
				return
			}
			job := l.config.Jobs.Exit(0)
			job.Options = maps.Clone(job.Options)
			if job.Options == nil {
				job.Options = map[string]any{}
			}
			job.Options["executortest-unknown"] = true
			if err := l.executor.Validate(job); err == nil {
				l.Error("Validate accepts the option \"executortest-unknown\"")
			}
		}},
	}
}

func e1Checks() []check {
	return []check{
		{"an exit code is a result", exitCodes},
		{"Run returns when the work is over", blocks},
		{"Run returns when the output is written", outputIsOver},
		{"a missing command is a failure", missingCommand},
		{"nothing is left of descendants", orphan},
		{"many attempts at once keep apart", concurrent},
	}
}

func exitCodes(l *lab) {
	for _, code := range []int{0, 1, 3, 75, 255} {
		t := l.start(l.config.Jobs.Exit(code))
		res, err := t.wait()
		switch {
		case err != nil:
			l.Errorf("exit %d came back as the error %q, want a Result", code, err)
		case res.ExitCode != code || res.OK() != (code == 0):
			l.Errorf("exit %d came back as %v with exit code %d", code, res, res.ExitCode)
		}
	}
}

func blocks(l *lab) {
	h := l.hold()
	t := l.start(l.config.Jobs.Wait(h.address()))
	g := h.next(t)
	if t.returned() {
		l.Fatalf("Run has returned (%v, %v) while the work goes on", t.result, t.err)
	}
	g.release()
	t.succeed()
	if !g.ended() {
		l.Error("Run has returned and the work goes on")
	}
	t.printed(Ended)
}

// outputIsOver holds up the last write, to see whether Run waits for it.
func outputIsOver(l *lab) {
	stdout := newGate()
	a := l.attempt(l.config.Jobs.Print([]byte("output"), nil))
	a.Stdout = stdout
	t := l.launch(l.executor, a, nil)
	if !l.within(stdout.entered) {
		close(stdout.gate)
		l.Fatal("the output has not arrived")
	}
	early := t.returned()
	close(stdout.gate)
	if early {
		l.Error("Run has returned while a write to Stdout went on")
	}
	t.succeed()
	if got := string(stdout.bytes()); got != "output" {
		l.Errorf("stdout is %q when Run has returned, want %q", got, "output")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.late {
		l.Error("a status was reported after Run had returned")
	}
}

func missingCommand(l *lab) {
	if l.config.Jobs.Missing == nil {
		l.Log("not checked, declared: every command exists")
		return
	}
	job := l.config.Jobs.Missing()
	if err := l.executor.Validate(job); err != nil {
		l.Logf("refused by Validate: %v", err)
	}
	t := l.start(job)
	if !t.failed() {
		l.Fatalf("running %q succeeds", job.Command)
	}
	l.Logf("%v, %v", t.result, t.err)
	l.taskFailure(t)
}

// taskFailure checks that the failure of an attempt counts as the task's.
func (l *lab) taskFailure(t *trial) {
	l.Helper()
	if _, ok := errors.AsType[*executor.LostError](t.err); ok {
		l.Errorf("the failure is a LostError: %v", t.err)
	}
	if _, ok := errors.AsType[*executor.NotStartedError](t.err); ok {
		l.Errorf("the failure is a NotStartedError: %v", t.err)
	}
}

func orphan(l *lab) {
	jobs := l.config.Jobs
	if l.weaker(l.config.Weaker.NoDescendants, jobs.Orphan == nil, "Orphan") {
		return
	}
	l.impatient()
	h := l.hold()
	t := l.start(jobs.Orphan(h.address()))
	g := h.next(t)
	t.settle()
	if !g.ended() {
		l.Error("Run has returned and a descendant of the command goes on")
	}
}

func concurrent(l *lab) {
	trials := make([]*trial, l.config.Concurrent)
	text := func(i int, stream string) []byte { return fmt.Appendf(nil, "%s of %d\n", stream, i) }
	for i := range trials {
		trials[i] = l.start(l.config.Jobs.Print(text(i, "stdout"), text(i, "stderr")))
	}
	for i, t := range trials {
		t.succeed()
		// On which of the two it is matters to E6.
		got := lines(t.stdout.bytes(), t.stderr.bytes())
		if want := lines(text(i, "stdout"), text(i, "stderr")); !slices.Equal(got, want) {
			l.Errorf("attempt %d has printed %q, want %q", i, got, want)
		}
	}
	h := l.hold()
	few := min(len(trials), 8)
	for i := range few {
		trials[i] = l.start(l.config.Jobs.Wait(h.address()))
	}
	// None of them ends before all have started.
	for i := range few {
		h.next(trials[i])
	}
}

// lines returns the lines of both outputs, sorted.
func lines(stdout, stderr []byte) []string {
	return slices.Sorted(strings.Lines(string(stdout) + string(stderr)))
}
