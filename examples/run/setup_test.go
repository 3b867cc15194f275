package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// playMain has a process of the test binary be the program.
const playMain = "DAGGY_EXAMPLE_PLAYS_MAIN"

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(playMain) != "":
		main()
	case len(os.Args) == 3 && os.Args[1] == "hold":
		hold(os.Args[2])
	default:
		goleak.VerifyTestMain(m)
	}
}

// hold is a command that goes on until the test closes the connection, and
// tells the test when it is asked to stop.
func hold(address string) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM) // before the test knows that this runs
	conn, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(1)
	}
	go func() {
		<-asked
		_, _ = io.WriteString(conn, "asked\n") // the test notices that it is missing
	}()
	_, _ = io.Copy(io.Discard, conn)
}

// holdJSON is the job of a task that holds.
func holdJSON(t *testing.T, listener net.Listener) string {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	job, err := json.Marshal(map[string]any{
		"command": []string{self, "hold", listener.Addr().String()},
	})
	require.NoError(t, err)
	return string(job)
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// outcome is what a run of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// play runs the program in this process on a definition from its standard
// input.
func play(t *testing.T, definition string, flags ...string) outcome {
	t.Helper()
	args := append([]string{"-progress", "off"}, flags...)
	return playFile(t, strings.NewReader(definition), append(args, "-")...)
}

func playFile(t *testing.T, stdin io.Reader, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, streams{stdin, &stdout, &stderr})
	return outcome{code, stdout.String(), stderr.String()}
}

// process starts the program as a process of its own.
func process(t *testing.T, definition string, flags ...string) (*exec.Cmd, *outcome) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "definition.json")
	require.NoError(t, os.WriteFile(file, []byte(definition), 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, append(flags, file)...)
	cmd.Env = append(os.Environ(), playMain+"=1")
	o := &outcome{}
	cmd.Stdout, cmd.Stderr = writerTo{&o.stdout}, writerTo{&o.stderr}
	require.NoError(t, cmd.Start())
	return cmd, o
}

type writerTo struct{ s *string }

func (w writerTo) Write(p []byte) (int, error) {
	*w.s += string(p)
	return len(p), nil
}

// reportJSON is the object that the program prints, as others would read it.
type reportJSON struct {
	Run   string                `json:"run"`
	State string                `json:"state"`
	Tasks map[string]taskReport `json:"tasks"`
}

type taskReport struct {
	State    string    `json:"state"`
	Attempts int       `json:"attempts"`
	ExitCode *int      `json:"exitCode"`
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	Stdout   string    `json:"stdout"`
	Stderr   string    `json:"stderr"`
	Reason   string    `json:"reason"`
	Dropped  int64     `json:"stdoutDropped"`
}

// report reads the one object on the standard output.
func report(t *testing.T, stdout string) reportJSON {
	t.Helper()
	var r reportJSON
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&r), "stdout: %s", stdout)
	_, err := d.Token()
	require.ErrorIs(t, err, io.EOF, "there is more than one object: %s", stdout)
	return r
}
