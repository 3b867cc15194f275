package redislog_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// faults fail the commands of a client that change a run.
type faults struct {
	// before is asked before a command is sent, and after with its answer. An
	// error of theirs is what the client returns.
	before, after func(n int) error
	n             atomic.Int32
}

func (f *faults) DialHook(next redis.DialHook) redis.DialHook { return next }

func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !strings.HasPrefix(cmd.Name(), "eval") {
			return next(ctx, cmd)
		}
		n := int(f.n.Add(1))
		if f.before != nil {
			if err := f.before(n); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		err := next(ctx, cmd)
		if redis.HasErrorPrefix(err, "NOSCRIPT") {
			return err
		}
		if f.after != nil {
			if lost := f.after(n); lost != nil {
				cmd.SetErr(lost)
				return lost
			}
		}
		return err
	}
}

// faulty returns a log whose scripts are loaded, and a switch for its faults.
func faulty(t *testing.T) (log *redislog.Log, set func(before, after func(n int) error)) {
	t.Helper()
	_, client := connect(t)
	warm := open(t, client, redislog.Config{Prefix: "warm", NoDocuments: true})
	appended(t, warm, "run", 0, opened())
	require.Len(t, read(t, warm, "run"), 1)
	f := &faults{}
	client.AddHook(f)
	log = open(t, client, redislog.Config{NoDocuments: true})
	return log, func(before, after func(n int) error) {
		f.before, f.after = before, after
		f.n.Store(0)
	}
}

func opened() statelog.Record { return statelog.Record{Kind: statelog.Opened, Time: time.Now()} }

func task(n int) statelog.Record {
	return statelog.Record{Kind: statelog.Intent, Time: time.Now(), Task: n, Attempt: 1}
}

func appended(
	t *testing.T, log statelog.StateLogger, run string, after uint64, recs ...statelog.Record,
) {
	t.Helper()
	_, err := log.Append(t.Context(), run, after, recs)
	require.NoError(t, err)
}

// read returns the tasks of a run's records.
func read(t *testing.T, log statelog.StateLogger, run string) []int {
	t.Helper()
	var tasks []int
	for rec, err := range log.Read(t.Context(), run, 0) {
		require.NoError(t, err)
		tasks = append(tasks, rec.Task)
	}
	return tasks
}

func first(err error) func(n int) error {
	return func(n int) error {
		if n == 1 {
			return err
		}
		return nil
	}
}

func always(err error) func(n int) error { return func(int) error { return err } }

// L3: a batch whose answer is lost is there once, and is not taken for one that
// was fenced.
func TestLostAnswerIsAskedForAgain(t *testing.T) {
	t.Parallel()
	log, set := faulty(t)
	appended(t, log, "run", 0, opened())
	set(nil, first(io.EOF))
	appended(t, log, "run", 1, task(1), task(2))
	set(first(io.EOF), nil) // lost on the way there
	appended(t, log, "run", 3, task(3))
	require.Equal(t, []int{0, 1, 2, 3}, read(t, log, "run"))
}

// L3: with another engine's batch behind it, it is still there.
func TestLostAnswerWithAnotherEngineBehindIt(t *testing.T) {
	t.Parallel()
	log, set := faulty(t)
	appended(t, log, "run", 0, opened())
	set(nil, func(n int) error {
		if n != 1 {
			return nil
		}
		// The other engine goes on before the answer is missed.
		appended(t, log, "run", 2, task(2))
		return io.EOF
	})
	appended(t, log, "run", 1, task(1))
	require.Equal(t, []int{0, 1, 2}, read(t, log, "run"))
}

func TestNoAnswerIsAmbiguous(t *testing.T) {
	t.Parallel()
	log, set := faulty(t)
	appended(t, log, "run", 0, opened())
	set(nil, always(io.EOF))
	_, err := log.Append(t.Context(), "run", 1, []statelog.Record{task(1)})
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	require.ErrorIs(t, err, io.EOF)
	set(nil, nil)
	require.Equal(t, []int{0, 1}, read(t, log, "run"), "it was added")

	set(always(io.EOF), nil)
	_, err = log.Append(t.Context(), "run", 2, []statelog.Record{task(2)})
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	set(nil, nil)
	require.Equal(t, []int{0, 1}, read(t, log, "run"), "it was not added")
	appended(t, log, "run", 2, task(3))
}

// What the server says it has not done is not ambiguous.
func TestRefusalIsNotAmbiguous(t *testing.T) {
	t.Parallel()
	log, set := faulty(t)
	appended(t, log, "run", 0, opened())
	for name, refusal := range map[string]error{
		"no memory": redis.NewCmdResult(nil, oom{}).Err(),
		"no room":   redis.ErrPoolTimeout,
		"closed":    redis.ErrClosed,
	} {
		set(first(refusal), nil)
		_, err := log.Append(t.Context(), "run", 1, []statelog.Record{task(1)})
		require.ErrorIs(t, err, refusal, name)
		require.NotErrorIs(t, err, statelog.ErrAmbiguous, name)
	}
	set(nil, nil)
	appended(t, log, "run", 1, task(1))
}

// oom is what a server without memory answers.
type oom struct{}

func (oom) Error() string { return "OOM command not allowed when used memory > 'maxmemory'." }
func (oom) RedisError()   {}

// A batch that was given up and arrives late, when its sender has read back and
// gone on, changes nothing.
func TestLateBatchIsRefused(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, log, "run", 0, opened())
	require.Equal(t, []int{0}, read(t, log, "run"))

	var late []any
	hook := &capture{fail: true, args: &late}
	client.AddHook(hook)
	_, err := log.Append(t.Context(), "run", 1, []statelog.Record{task(1)})
	require.ErrorIs(t, err, statelog.ErrAmbiguous)
	hook.fail = false
	require.Equal(t, []int{0}, read(t, log, "run"), "it has not arrived")

	answer, err := client.Do(t.Context(), late...).Slice()
	require.NoError(t, err)
	require.Equal(t, []any{"late"}, answer)
	require.Equal(t, []int{0}, read(t, log, "run"))
	appended(t, log, "run", 1, task(2))
	require.Equal(t, []int{0, 2}, read(t, log, "run"))
}

// capture keeps what it does not send.
type capture struct {
	faults
	fail bool
	args *[]any
}

func (c *capture) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !c.fail {
			return next(ctx, cmd)
		}
		*c.args = nil
		for _, arg := range cmd.Args() {
			if b, ok := arg.([]byte); ok {
				arg = string(b)
			}
			*c.args = append(*c.args, arg)
		}
		err := errors.New("no answer")
		cmd.SetErr(err)
		return err
	}
}

// The scripts are sent whole to a server that has forgotten them.
func TestScriptsAreSentAgain(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, log, "run", 0, opened())
	require.NoError(t, client.ScriptFlush(t.Context()).Err())
	appended(t, log, "run", 1, task(1))
	require.Equal(t, []int{0, 1}, read(t, log, "run"))
}
