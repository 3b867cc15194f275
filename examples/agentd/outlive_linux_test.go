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
	key := newKey()
	args := []string{"-listen", "127.0.0.1:0", "-dir", t.TempDir(), "-insecure-loopback"}
	p := launch(t, nil, args...)
	h, command := newHeld(t)
	status, body := p.connect(t, "").submit(t, key, command...)
	require.Equal(t, http.StatusCreated, status, body)
	h.runs(t)
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, exitTold, p.code(t), p.said())

	p = launch(t, nil, args...)
	status, body = p.connect(t, "").ask(t, http.MethodGet, "/api/v1/task/"+key, "")
	require.Equal(t, http.StatusOK, status, body)
	p.signal(t, syscall.SIGKILL)
	p.code(t)

	p = launch(t, nil, args...)
	c := p.connect(t, "")
	_, err := h.conn.Write([]byte("still there"))
	require.NoError(t, err)
	require.NoError(t, h.conn.Close())
	state := c.ended(t, key)
	require.NotContains(t, state, "failure")
	_, output := c.ask(t, http.MethodGet, "/api/v1/task/"+key+"/stdout", "")
	require.Equal(t, "held", output, state)
	p.signal(t, syscall.SIGTERM)
	require.Equal(t, exitTold, p.code(t), p.said())
}
