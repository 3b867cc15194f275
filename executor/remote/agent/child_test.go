package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/internal/helperproc"
	"github.com/daggy-go/daggy/statelog"
)

// A role is what a child of the test is: a daemon in a process of its own, which can
// be killed.
type role struct {
	Dir       string
	Ephemeral bool
	Nothing   bool // it runs nothing instead of processes
	Cores     int64
	// DieAt kills it right before or after that append to its journal, from 1. 0:
	// it does not.
	DieAt  int64
	Before bool
}

// playDaemon is a daemon until it is killed, or its standard input is closed.
func playDaemon(args []string) (int, error) {
	var r role
	if err := json.Unmarshal([]byte(args[0]), &r); err != nil {
		return 0, err
	}
	c := agent.Config{
		Dir: r.Dir, Ephemeral: r.Ephemeral, Node: "node", Grace: 2 * time.Second,
		Capacity:  capacity.Resources{dag.Cores: r.Cores, dag.MemoryMB: 1000},
		Auth:      agent.Auth{InsecureLoopback: true},
		AllowRoot: true,
	}
	if r.Nothing {
		c.Executor = executor.RunFunc(nothing)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a, err := agent.NewWithStore(ctx, c, func(s agent.Store) agent.Store {
		if r.DieAt == 0 {
			return s
		}
		return &mortal{Store: s, at: r.DieAt, before: r.Before}
	})
	if err != nil {
		return 0, err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err = a.Serve(ctx, agent.Listening{Address: "127.0.0.1:0", Grace: -1}, func(address string) {
		_, _ = fmt.Println(address) //nolint:forbidigo // it is for the parent
	})
	ending, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	_ = err // what was cut off is what the parent had open
	return 0, a.Shutdown(ending)
}

// A mortal store kills its process at one of the appends.
type mortal struct {
	agent.Store
	at     int64
	before bool
	n      atomic.Int64
}

func (m *mortal) Append(
	ctx context.Context, run string, after uint64, recs []statelog.Record,
) (uint64, error) {
	last := m.n.Add(1) == m.at
	if last && m.before {
		kill()
	}
	seq, err := m.Store.Append(ctx, run, after, recs)
	if last {
		kill()
	}
	return seq, err
}

func kill() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	panic(errors.Join(errors.New("still alive"), err))
}

// A child is a daemon that is another process.
type child struct {
	daemon
	cmd   *exec.Cmd
	stdin io.Closer
	done  bool
}

// spawn starts a child, which is killed at the end of the test.
func spawn(tb testing.TB, mode string, args ...string) *child {
	tb.Helper()
	words := helperproc.Command(mode, args...)
	cmd := exec.CommandContext(context.Background(), words[0], words[1:]...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(tb, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	c := &child{cmd: cmd, stdin: stdin}
	tb.Cleanup(c.kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(tb, err, "the child did not start")
	c.url = "http://" + line[:len(line)-1]
	return c
}

func spawnDaemon(tb testing.TB, r role) *child {
	tb.Helper()
	text, err := json.Marshal(r)
	require.NoError(tb, err)
	return spawn(tb, "daemon", string(text))
}

// kill ends the child at once.
func (c *child) kill() {
	if c.done {
		return
	}
	c.done = true
	_ = c.cmd.Process.Kill()
	_ = c.stdin.Close()
	_ = c.cmd.Wait() // it was killed
}

// stop has the child end in good order.
func (c *child) stop(tb testing.TB) {
	tb.Helper()
	c.done = true
	require.NoError(tb, c.stdin.Close())
	require.NoError(tb, c.cmd.Wait())
}

// playReference serves what daemons are compared with.
func playReference(args []string) (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	s := &http.Server{Handler: reference(args[0]), ReadHeaderTimeout: patience}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = s.Close()
	}()
	_, _ = fmt.Println(l.Addr()) //nolint:forbidigo // it is for the parent
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return 0, err
	}
	return 0, nil
}

// playMark writes its key, and waits for a file if it is given one.
func playMark(args []string) (int, error) {
	f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	if _, err := f.WriteString(os.Getenv("DAGGY_KEY") + "\n"); err != nil {
		return 0, err
	}
	for args[1] != "" {
		if _, err := os.Stat(args[1]); err == nil {
			break
		}
		<-time.After(5 * time.Millisecond)
	}
	_, err = os.Stdout.WriteString("done " + os.Getenv("DAGGY_KEY"))
	return 0, err
}

// playHold keeps a connection for as long as it lives.
func playHold(args []string) (int, error) {
	c, err := net.Dial("tcp", args[0])
	if err != nil {
		return 0, err
	}
	_, err = c.Read(make([]byte, 1))
	return 0, err
}
