package main

import (
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// What runs when the daemon ends goes on, and the next one finds it again: after
// SIGTERM as after SIGKILL.
func TestJobsOutliveTheDaemon(t *testing.T) {
	t.Parallel()
	args := []string{"-listen", "127.0.0.1:0", "-dir", t.TempDir(), "-insecure-loopback"}
	p := launch(t, nil, args...)
	h, command := newHeld(t)
	status, body := p.connect(t, "").submit(t, "long", command...)
	require.Equal(t, http.StatusCreated, status, body)
	h.runs(t)
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, exitTold, p.code(t), p.said())

	p = launch(t, nil, args...)
	status, body = p.connect(t, "").ask(t, http.MethodGet, "/api/v1/task/long", "")
	require.Equal(t, http.StatusOK, status, body)
	p.signal(t, syscall.SIGKILL)
	p.code(t)

	p = launch(t, nil, args...)
	c := p.connect(t, "")
	_, err := h.conn.Write([]byte("still there"))
	require.NoError(t, err)
	require.NoError(t, h.conn.Close())
	require.NotContains(t, c.ended(t, "long"), "failure")
	_, output := c.ask(t, http.MethodGet, "/api/v1/task/long/stdout", "")
	require.Equal(t, "held", output)
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, exitTold, p.code(t), p.said())
}
