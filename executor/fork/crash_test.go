//go:build linux

package fork_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/internal/helperproc"
)

var (
	kills = flag.Int("kills", 15, "how often the crash test kills an engine")
	seed  = flag.Uint64("seed", 0, "of the crash test; 0: another one each time")
)

// Instances of a crash run, and how many an engine runs at a time.
const (
	crashInstances = 24
	crashWorkers   = 4
)

// TestKilledAtRandom kills engines, which run jobs that write down when they begin
// and end, until as many were killed as the flag says. What the jobs write is the
// judge: no key begins twice, no two attempts of an instance are there at once, and
// what an engine has recorded as done has ended (E3, E5).
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]bool{"engine": false, "engine and supervisor": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := *seed
			if s == 0 {
				s = rand.Uint64()
			}
			t.Logf("-seed=%d", s)
			c := &crash{T: t, random: rand.New(rand.NewPCG(s, s)), both: both}
			for c.killed < *kills {
				c.run()
			}
			t.Logf("%d engines and %d supervisors were killed, %d attempts were lost",
				c.killed, c.supervisors, c.lost)
		})
	}
}

// A crash is a sequence of runs whose engines are killed.
type crash struct {
	*testing.T
	random                    *rand.Rand
	both                      bool
	killed, supervisors, lost int
}

// run kills engines of one run until it is done.
func (c *crash) run() {
	dir, prefix := c.TempDir(), fmt.Sprintf("crash%x", c.random.Uint64())
	for !c.engine(dir, prefix) {
		c.killed++
		if c.both && c.random.IntN(3) == 0 {
			c.killSupervisor(dir)
		}
	}
	require.NoError(c, helperproc.AwaitSupervisor(dir))
	c.judge(dir)
}

// engine runs an engine and kills it after a while. It reports whether it has come
// to its end.
func (c *crash) engine(dir, prefix string) bool {
	e := helperproc.Exec(c.Context(), "crash-engine", dir, prefix)
	var stderr bytes.Buffer
	e.Stderr = &stderr
	require.NoError(c, e.Start())
	const most = 300 * time.Millisecond
	timer := time.AfterFunc(time.Duration(c.random.Int64N(int64(most))), func() {
		_ = e.Process.Kill()
	})
	defer timer.Stop()
	err := e.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == -1 {
		return false
	}
	require.NoError(c, err, stderr.String())
	return true
}

// killSupervisor kills it, if there is one just now.
func (c *crash) killSupervisor(dir string) {
	if pid, err := fork.SupervisorPID(dir); err == nil && unix.Kill(pid, unix.SIGKILL) == nil {
		c.supervisors++
	}
}

// judge reads what jobs and engines have written.
func (c *crash) judge(dir string) {
	begun, ended := map[string]int{}, map[string]int{}
	instances := map[string]int{}
	for _, words := range lines(c, filepath.Join(dir, "jobs")) {
		switch words[0] {
		case "begin":
			begun[words[1]]++
			instances[instanceOf(words[1])]++
		case "end":
			ended[words[1]]++
		default:
			require.Fail(c, "what a job says", "%q", words)
		}
	}
	for key, n := range begun {
		require.Equal(c, 1, n, "%s has begun", key)
	}
	done := map[string]bool{}
	for _, words := range lines(c, filepath.Join(dir, "log")) {
		switch words[0] {
		case "done":
			require.Equal(c, 1, ended[words[1]], "%s is done and has ended", words[1])
			require.False(c, done[instanceOf(words[1])], words[1])
			done[instanceOf(words[1])] = true
		case "lost":
			c.lost++
			require.True(c, c.both, "%s is lost and no supervisor was killed", words[1])
		}
	}
	require.Len(c, done, crashInstances)
	for instance, n := range instances {
		require.True(c, c.both || n == 1, "%s was run %d times", instance, n)
		lock, err := os.Open(filepath.Join(dir, "instance-"+instance))
		require.NoError(c, err)
		require.NoError(c, unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB), "it runs still")
		require.NoError(c, lock.Close())
	}
}

func lines(tb testing.TB, path string) [][]string {
	tb.Helper()
	text, err := os.ReadFile(path)
	require.NoError(tb, err)
	var all [][]string
	for line := range strings.Lines(string(text)) {
		all = append(all, strings.Fields(line))
	}
	return all
}

// instanceOf returns the instance of a key that crashLog has made.
func instanceOf(key string) string { return strings.Split(key, "-")[2] }

func (l *crashLog) key(instance, number int) string {
	return fmt.Sprintf("%s-0-%d-%d", l.prefix, instance, number)
}

// note adds a line to a file. It is whole, or not there.
func note(path string, words ...any) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, words...)
	return errors.Join(err, f.Close())
}

// crashJob is a job that two copies of an instance cannot do at the same time.
func crashJob(args []string) (int, error) {
	dir, key := args[0], os.Getenv("DAGGY_KEY")
	path := filepath.Join(dir, "instance-"+instanceOf(key))
	lock, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	jobs := filepath.Join(dir, "jobs")
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return 0, errors.Join(err, note(jobs, "overlap", key))
	}
	if err := note(jobs, "begin", key); err != nil {
		return 0, err
	}
	ms, err := strconv.Atoi(args[1])
	if err != nil {
		return 0, err
	}
	<-time.After(time.Duration(ms) * time.Millisecond)
	if err := note(jobs, "end", key); err != nil {
		return 0, err
	}
	_, err = fmt.Fprintln(os.Stdout, key)
	return 0, err
}

// crashEngine is an engine with a log, which says what it is about to start before
// it does, and goes on where the one before it was killed.
func crashEngine(args []string) (int, error) {
	log := &crashLog{
		path: filepath.Join(args[0], "log"), prefix: args[1], number: map[int]int{},
	}
	if err := log.read(); err != nil {
		return 0, err
	}
	e := fork.New(fork.Config{Dir: args[0], Grace: 50 * time.Millisecond})
	work := make(chan int)
	errs := make(chan error, crashInstances)
	var running sync.WaitGroup
	for range crashWorkers {
		running.Go(func() {
			for i := range work {
				errs <- log.instance(e, args[0], i)
			}
		})
	}
	for i := range crashInstances {
		work <- i
	}
	close(work)
	running.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// allDone stands for the number of an attempt where none is to be run any more.
const allDone = 1 << 20

type crashLog struct {
	path   string
	prefix string      // of the keys, which are unique for ever
	number map[int]int // by instance: of the open attempt; -N: N is lost; allDone
}

func (l *crashLog) read() error {
	text, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		parts := strings.Split(words[1], "-")
		instance, err := strconv.Atoi(parts[2])
		if err != nil {
			return err
		}
		number, err := strconv.Atoi(parts[3])
		if err != nil {
			return err
		}
		switch words[0] {
		case "intent":
			l.number[instance] = number
		case "lost":
			l.number[instance] = -number // the next is still to be written
		case "done":
			l.number[instance] = allDone
		}
	}
	return nil
}

// instance runs attempts of an instance until one is done.
func (l *crashLog) instance(e *fork.Executor, dir string, i int) error {
	number := l.number[i]
	if number == allDone {
		return nil
	}
	resumed := number > 0
	for {
		if !resumed {
			number = max(number, -number) + 1
			if err := note(l.path, "intent", l.key(i, number)); err != nil {
				return err
			}
		}
		key := l.key(i, number)
		err := l.attempt(e, dir, key, resumed)
		if err == nil {
			return e.Forget(context.Background(), key)
		}
		if _, lost := errors.AsType[*executor.LostError](err); !lost {
			return err
		}
		if err := note(l.path, "lost", key); err != nil {
			return err
		}
		resumed = false
	}
}

func (l *crashLog) attempt(e *fork.Executor, dir, key string, resumed bool) error {
	var stdout, stderr bytes.Buffer
	ms := strconv.Itoa(rand.IntN(40))
	r, err := e.Run(context.Background(), &executor.Attempt{
		Run: "crash", Task: "task", Instance: "task", Number: 1, Key: key, Resumed: resumed,
		Job:    dag.Job{Command: helperproc.Command("crash-job", dir, ms)},
		Stdout: &stdout, Stderr: &stderr,
	})
	if err != nil {
		return err
	}
	if !r.OK() || stdout.String() != key+"\n" {
		return fmt.Errorf("%s: %v, stdout %q, stderr %q", key, r, stdout.String(), stderr.String())
	}
	return note(l.path, "done", key)
}
