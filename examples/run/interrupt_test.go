//go:build unix

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// The first interrupt stops what runs, reports, and is no completion.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	cmd, o := process(t, fmt.Sprintf(`{"tasks": {
		"first": {"job": {"command": ["echo", "done"]}},
		"long": {"job": %s, "parents": ["first"], "children": ["last"]},
		"last": {"job": {"command": ["echo"]}}
	}}`, holdJSON(t, listener)), "-report", "json", "-progress", "off", "-run", "stopped")
	conn, err := listener.Accept() // the task runs
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	// It was asked to stop before it was killed, if it had to be.
	said, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "asked\n", said)
	require.NoError(t, conn.Close())
	exit := wait(t, cmd)
	require.Equal(t, exitNotCompleted, exit, o.stderr)
	r := report(t, o.stdout)
	require.Equal(t, "interrupted", r.State)
	require.Equal(t, "completed", r.Tasks["first"].State)
	require.Equal(t, "waiting", r.Tasks["last"].State)
	require.NotEmpty(t, o.stderr)
}

// The second interrupt ends the program though a task does not stop.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	cmd, _ := process(t, fmt.Sprintf(`{"tasks": {"long": {"job": %s}}}`, holdJSON(t, listener)),
		"-progress", "off")
	conn, err := listener.Accept()
	require.NoError(t, err)
	defer func(c net.Conn) { require.NoError(t, c.Close()) }(conn)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_, err = bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Equal(t, -1, wait(t, cmd), "it was not ended by the signal")
}

func wait(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode()
}
