//go:build unix

package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// SIGTERM drains: nothing new, and what runs is waited for.
func TestDrains(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "-listen", "127.0.0.1:0", "-ephemeral", "-insecure-loopback",
		"-drain", "10m")
	c := p.connect(t, "")
	h, command := newHeld(t)
	status, body := c.submit(t, newKey(), command...)
	require.Equal(t, http.StatusCreated, status, body)
	h.runs(t)
	p.signal(t, syscall.SIGTERM)
	p.waitFor(t, "told to end")
	require.Eventually(t, func() bool {
		status, body = c.submit(t, newKey(), "echo")
		return status == http.StatusTooManyRequests
	}, patience, 10*time.Millisecond)
	require.Contains(t, body, "draining")
	require.NoError(t, h.conn.Close())
	require.Equal(t, exitTold, p.code(t), p.said())
	require.NotContains(t, p.said(), "level=WARN")
}

// A second signal ends the waiting. What does not outlive the daemon is stopped.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := launch(t, nil, "-listen", "127.0.0.1:0", "-ephemeral", "-insecure-loopback",
		"-drain", "10h")
	h, command := newHeld(t)
	status, body := p.connect(t, "").submit(t, newKey(), command...)
	require.Equal(t, http.StatusCreated, status, body)
	h.runs(t)
	p.signal(t, syscall.SIGTERM)
	p.waitFor(t, "told to end")
	p.signal(t, os.Interrupt)
	require.Equal(t, exitTold, p.code(t), p.said())
	h.stopped(t)
}

// SIGHUP reads the token file again, at once.
func TestReload(t *testing.T) {
	t.Parallel()
	tokens := tokenFile(t)
	p := launch(t, nil, "-listen", "127.0.0.1:0", "-ephemeral", "-token-file", tokens)
	c := p.connect(t, laterToken)
	status, _ := c.ask(t, http.MethodGet, "/api/v1/capacity", "")
	require.Equal(t, http.StatusUnauthorized, status)
	require.NoError(t, os.WriteFile(tokens, []byte("read "+laterToken+"\n"), 0o600))
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "was read again")
	status, _ = c.ask(t, http.MethodGet, "/api/v1/capacity", "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, os.WriteFile(tokens, []byte("nonsense\n"), 0o600))
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "level=ERROR")
	status, _ = c.ask(t, http.MethodGet, "/api/v1/capacity", "")
	require.Equal(t, http.StatusOK, status)
}

// It tells systemd of its state, and takes the socket that systemd has opened.
func TestSystemd(t *testing.T) {
	t.Parallel()
	key := newKey()
	path := filepath.Join(t.TempDir(), "notify")
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	require.NoError(t, err)
	t.Cleanup(func() { _ = notified.Close() })
	said := func() string {
		require.NoError(t, notified.SetReadDeadline(time.Now().Add(patience)))
		buf := make([]byte, 4096)
		n, err := notified.Read(buf)
		require.NoError(t, err)
		return string(buf[:n])
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	socket, err := listener.(*net.TCPListener).File()
	require.NoError(t, err)
	p := launch(t, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+path, "LISTEN_FDS=1", playSystemd+"=1",
			"STATE_DIRECTORY="+t.TempDir())
		cmd.ExtraFiles = []*os.File{socket}
	}, "-insecure-loopback")
	require.NoError(t, socket.Close())
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	require.Equal(t, "READY=1\nSTATUS=listening on "+address, said())
	c := p.connect(t, "")
	require.Equal(t, "http://"+address, c.base)
	status, body := c.submit(t, key, "env")
	require.Equal(t, http.StatusCreated, status, body)
	c.ended(t, key)
	_, env := c.ask(t, http.MethodGet, "/api/v1/task/"+key+"/stdout", "")
	require.Contains(t, env, "DAGGY_KEY="+key)
	for _, name := range []string{"NOTIFY_SOCKET", "LISTEN_", "STATE_DIRECTORY"} {
		require.NotContains(t, env, name)
	}
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, "STOPPING=1", said())
	require.Equal(t, exitTold, p.code(t), p.said())
}

func TestSystemdSockets(t *testing.T) {
	t.Parallel()
	p := launch(t, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "LISTEN_FDS=2", playSystemd+"=1")
	}, "-insecure-loopback", "-ephemeral")
	require.Equal(t, exitFailed, p.code(t))
	require.Contains(t, p.said(), "one ListenStream")
	// Sockets that are for another process are left alone.
	p = launch(t, func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "LISTEN_FDS=2", "LISTEN_PID=1")
	}, "-insecure-loopback", "-ephemeral", "-listen", "127.0.0.1:0")
	p.connect(t, "")
}

// Through a unix socket, for the user of the daemon alone.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "agentd.sock")
	p := launch(t, nil, "-listen", "unix:"+path, "-insecure-loopback", "-ephemeral")
	require.True(t, strings.HasSuffix(p.connect(t, "").base, path))
	c := clientOf(t, unixTransport(path), "http://localhost", "")
	status, body := c.submit(t, newKey(), "echo")
	require.Equal(t, http.StatusCreated, status, body)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, exitTold, p.code(t), p.said())
	require.NoFileExists(t, path)
}
