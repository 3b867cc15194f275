package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const (
	// playMain has a process of the test binary be the program.
	playMain = "DAGGY_EXAMPLE_PLAYS_MAIN"
	// playSystemd has it do first what only the process itself can do of systemd's
	// part.
	playSystemd = "DAGGY_EXAMPLE_PLAYS_SYSTEMD"
)

// patience is how long what has to happen may take on a busy machine.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(playMain) != "":
		if os.Getenv(playSystemd) != "" {
			_ = os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
		}
		main()
	case len(os.Args) == 3 && os.Args[1] == "hold":
		hold(os.Args[2])
	default:
		goleak.VerifyTestMain(m)
	}
}

// hold is a job that goes on until the test closes the connection.
func hold(address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, conn)
	_, _ = io.WriteString(os.Stdout, "held")
}

// Tokens of the tests.
const (
	submitToken = "the-submitting-token-of-a-test"
	readToken   = "the-reading-token-of-a-test"
	laterToken  = "the-token-that-comes-later"
)

// tokenFile writes one with the first two.
func tokenFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	text := "submit " + submitToken + "\nread " + readToken + "\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// A program is a process that is the daemon.
type program struct {
	cmd     *exec.Cmd
	address chan string
	exited  chan struct{} // closed when all is read and the process is gone

	mu  sync.Mutex
	log bytes.Buffer
}

// launch starts the daemon. prepare may change the process before that.
func launch(t *testing.T, prepare func(*exec.Cmd), args ...string) *program {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &program{
		cmd:     exec.CommandContext(context.WithoutCancel(t.Context()), self, args...),
		address: make(chan string, 1), exited: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), playMain+"=1")
	if prepare != nil {
		prepare(p.cmd)
	}
	stderr, err := p.cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go p.read(stderr)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // if it is still there
		<-p.exited
		for _, token := range []string{submitToken, readToken, laterToken} {
			require.NotContains(t, p.said(), token)
		}
	})
	return p
}

func (p *program) read(stderr io.Reader) {
	defer close(p.exited)
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := lines.Text()
		p.mu.Lock()
		p.log.WriteString(line + "\n")
		p.mu.Unlock()
		if _, address, ok := strings.Cut(line, "msg=listening address="); ok {
			p.address <- address
		}
	}
	_ = p.cmd.Wait() // the code is in the state of the process
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// code waits for the end.
func (p *program) code(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		require.Fail(t, "it does not end", p.said())
		return 0
	}
}

func (p *program) signal(t *testing.T, s os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// waitFor waits until the log has a text.
func (p *program) waitFor(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(p.said(), text) },
		patience, 10*time.Millisecond, "never said: %s", text)
}

// A client talks to a daemon, with a token if there is one.
type client struct {
	http  *http.Client
	base  string
	token string
}

// connect waits until the daemon listens.
func (p *program) connect(t *testing.T, token string) *client {
	t.Helper()
	select {
	case address := <-p.address:
		p.address <- address // for others
		return clientOf(t, &http.Transport{}, "http://"+address, token)
	case <-p.exited:
		require.Fail(t, "it has ended", p.said())
	case <-time.After(patience):
		require.Fail(t, "it does not listen", p.said())
	}
	return nil
}

func clientOf(t *testing.T, transport *http.Transport, base, token string) *client {
	t.Helper()
	t.Cleanup(transport.CloseIdleConnections)
	return &client{&http.Client{Transport: transport, Timeout: patience}, base, token}
}

// ask returns the status and the body of the answer.
func (c *client) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(t, err)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Daggy-Session", "a-test")
	answer, err := c.http.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(data)
}

// submit submits a command.
func (c *client) submit(t *testing.T, key string, command ...string) (int, string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"job": map[string]any{"command": command}})
	require.NoError(t, err)
	return c.ask(t, http.MethodPut, "/api/v1/task/"+key, string(body))
}

// newKey returns one that was never used: a machine knows the processes of an attempt
// by its key, whichever daemon started them.
func newKey() string { return strings.ToLower(rand.Text()) }

// ended waits until an attempt has ended.
func (c *client) ended(t *testing.T, key string) string {
	t.Helper()
	for until := time.Now().Add(patience); ; {
		status, body := c.ask(t, http.MethodGet, "/api/v1/task/"+key+"?wait=10s", "")
		require.Equal(t, http.StatusOK, status, body)
		if strings.Contains(body, `"ended"`) {
			return body
		}
		require.True(t, time.Now().Before(until), "it has not ended: %s", body)
	}
}

// A held job runs until it is let go.
type held struct {
	listener net.Listener
	conn     net.Conn
}

// newHeld returns what a job is held by, and its command.
func newHeld(t *testing.T) (*held, []string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	h := &held{}
	h.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.listener.Close() })
	return h, []string{self, "hold", h.listener.Addr().String()}
}

// runs waits until the job runs.
func (h *held) runs(t *testing.T) {
	t.Helper()
	require.NoError(t, h.listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience)))
	conn, err := h.listener.Accept()
	require.NoError(t, err)
	h.conn = conn
	t.Cleanup(func() { _ = conn.Close() })
}

// stopped waits until the job is gone.
func (h *held) stopped(t *testing.T) {
	t.Helper()
	require.NoError(t, h.conn.SetReadDeadline(time.Now().Add(patience)))
	_, err := h.conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it still runs")
}
