package crash_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/internal/helperproc"
)

// Ways in which a task ends.
const (
	ok       = "ok"
	flaky    = "flaky"    // fails once
	tempFail = "tempfail" // is lost once
	broken   = "broken"   // fails until there is a file called mended
)

// exitTempFail is EX_TEMPFAIL of sysexits.h.
const exitTempFail = 75

// A side file is what a task writes of itself: a line when it starts, a line when
// it ends. Nothing of the library has a part in it.
func sideFile(dir, instance string) string { return filepath.Join(dir, "side", instance) }

// work is what a task does: DIR HOW MILLISECONDS.
func work(args []string) (code int, err error) {
	how := args[1]
	ms, err := strconv.Atoi(args[2])
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(sideFile(args[0], os.Getenv("DAGGY_TASK")),
		os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	note := func(what string) {
		_, writeErr := fmt.Fprintf(f, "%s %s\n", what, os.Getenv("DAGGY_KEY"))
		err = errors.Join(err, writeErr)
	}
	note("start")
	// Another copy of this task would have the lock.
	if lockErr := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); lockErr != nil {
		note("overlap")
	}
	<-time.After(time.Duration(ms) * time.Millisecond)
	before, readErr := os.ReadFile(f.Name())
	if readErr != nil {
		return 0, readErr
	}
	switch _, mendErr := os.Stat(filepath.Join(args[0], "mended")); {
	case how == flaky && !strings.Contains(string(before), "fail"):
		code = 1
	case how == tempFail && !strings.Contains(string(before), "fail"):
		code = exitTempFail
	case how == broken && mendErr != nil:
		code = 1
	}
	if code == 0 {
		note("ok")
	} else {
		note("fail")
	}
	return code, err
}

// list is a generator: what it prints is more work.
func list(args []string) (int, error) {
	if code, err := work(append(args, ok, "5")); code != 0 || err != nil {
		return code, err
	}
	var made []dag.Task
	for i := range 6 {
		made = append(made, dag.Task{
			Name: madeName(i), Job: job(args[0], ok, 5*i), Children: []string{"sum"},
		})
	}
	out, err := dag.FormatTasks(made)
	if err == nil {
		_, err = os.Stdout.Write(out)
	}
	return 0, err
}

func job(dir, how string, ms int) dag.Job {
	return dag.Command(helperproc.Command("work", dir, how, strconv.Itoa(ms))...)
}

// workflow is what the engines run. All of it completes but "broken" and "never",
// which wait to be mended.
func workflow(dir string) *dag.DAG {
	t := func(name, how string, ms int, parents ...string) dag.Task {
		return dag.Task{Name: name, Job: job(dir, how, ms), Parents: parents}
	}
	step := t("step", ok, 0, "first")
	step.Job.Command[len(step.Job.Command)-1] = "{{MS}}" // 0 to 30 ms
	generator := dag.Task{
		Name: "list", Job: dag.Command(helperproc.Command("list", dir)...),
		Generator: true, Parents: []string{"first"}, MaxRetries: 3, Children: []string{"sum"},
	}
	retried := t("flaky", flaky, 5, "first")
	retried.MaxRetries = 1
	hopeless := t("broken", broken, 5)
	hopeless.MaxRetries = 1
	return &dag.DAG{
		Parameters: dag.Parameters{"MS": dag.List("0", "1", "2", "5", "10", "20", "30")},
		Tasks: []dag.Task{
			t("first", ok, 10), step, generator, retried, hopeless, t("never", ok, 1, "broken"),
			t("lost", tempFail, 5, "first"), t("left", ok, 40, "flaky"), t("right", ok, 1, "lost"),
			t("sum", ok, 5, "step", "left", "right"),
			{Name: "gate", Parents: []string{"sum"}},
			t("last", ok, 1, "gate"), t("long", ok, 150),
			{Name: "idle", Pool: "functions", Job: dag.Command("pause", "{{MS}}")},
		},
	}
}

// expected is how often each instance starts and fails if nobody ends it but
// itself, once the run is mended.
func expected() map[string]int {
	fails := map[string]int{"flaky": 1, "lost": 1, "broken": 2}
	for _, name := range []string{
		"first", "list", "never", "left", "right", "sum", "last", "long",
	} {
		fails[name] = 0
	}
	for i := range 7 {
		fails[expand.InstanceName("step", i)] = 0
	}
	for i := range 6 {
		fails[madeName(i)] = 0
	}
	return fails
}

func madeName(i int) string { return fmt.Sprintf("made%d", i) }

// pause is a function that takes so many milliseconds. Of several of them the
// intents wait for the one at work.
func pause(ctx context.Context, c *inproc.Call) error {
	ms, err := strconv.Atoi(c.Args[0])
	if err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
