package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// One job from the submission to its output, with a token.
func TestRunsWhatIsSubmitted(t *testing.T) {
	t.Parallel()
	key := newKey()
	p := launch(t, nil, "-listen", "127.0.0.1:0", "-dir", t.TempDir(), "-token-file", tokenFile(t))
	c := p.connect(t, submitToken)
	status, body := c.submit(t, key, "echo", "from elsewhere")
	require.Equal(t, http.StatusCreated, status, body)
	c.ended(t, key)
	status, body = c.ask(t, http.MethodGet, "/api/v1/task/"+key+"/stdout", "")
	require.Equal(t, http.StatusOK, status, body)
	require.Equal(t, "from elsewhere\n", body)

	reader := p.connect(t, readToken)
	status, _ = reader.ask(t, http.MethodGet, "/api/v1/capacity", "")
	require.Equal(t, http.StatusOK, status)
	status, _ = reader.submit(t, newKey(), "echo")
	require.Equal(t, http.StatusForbidden, status)
	status, _ = p.connect(t, "").submit(t, newKey(), "echo")
	require.Equal(t, http.StatusUnauthorized, status)
}

// Without an answer to who may call it does not start (S1).
func TestDoesNotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := filepath.Join(dir, "tokens")
	require.NoError(t, os.WriteFile(open, []byte("submit "+submitToken), 0o600))
	require.NoError(t, os.Chmod(open, 0o644))
	for _, tc := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"nobody may call", []string{"-dir", dir}, exitBad, []string{"-insecure-loopback"}},
		{
			"nowhere to keep anything",
			[]string{"-insecure-loopback"},
			exitBad,
			[]string{"-ephemeral"},
		},
		{"neither", nil, exitBad, []string{"-token-file", "-dir"}},
		{
			"a token file for all",
			[]string{"-ephemeral", "-token-file", open},
			exitFailed,
			[]string{"chmod 0600"},
		},
		{
			"insecure on a network",
			[]string{"-ephemeral", "-insecure-loopback", "-listen", "0.0.0.0:0"},
			exitFailed,
			[]string{"127.0.0.1", "-insecure-loopback excludes"},
		},
		{
			"certificates that nobody checks",
			[]string{"-ephemeral", "-certificate", "CN=x=read"},
			exitFailed,
			[]string{"-client-ca"},
		},
		{
			"no TLS on a network",
			[]string{"-ephemeral", "-token-file", tokenFile(t), "-listen", "0.0.0.0:0"},
			exitFailed,
			[]string{"-tls-cert and -tls-key"},
		},
		{"an unknown flag", []string{"-tokenfile", "x"}, exitBad, []string{"-tokenfile"}},
		{"the original's flag", []string{"-d"}, exitBad, []string{"foreground"}},
		{"an argument", []string{"-ephemeral", "x"}, exitBad, []string{`"x"`}},
		{"no file", []string{"-config", filepath.Join(dir, "none")}, exitBad, []string{"none"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, nil, tc.args...)
			require.Equal(t, tc.code, p.code(t), p.said())
			require.NotContains(t, p.said(), "listening")
			for _, text := range tc.says {
				require.Contains(t, p.said(), text)
			}
		})
	}
}

// What the original's documentation shows as its configuration file (R04).
func TestConfigurationOfTheOriginal(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "daggyr.json")
	require.NoError(t, os.WriteFile(config, []byte(`{
		"web-threads": 50,
		"port": 0,
		"ip": "localhost",
		"capacity_overrides": {"cores": 10, "memory_mb": 100}
	}`), 0o600))
	p := launch(t, nil, "-config", config, "-insecure-loopback", "-ephemeral")
	status, body := p.connect(t, "").ask(t, http.MethodGet, "/api/v1/capacity", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"cores":10`)
	require.Contains(t, body, `"memoryMB":100`)
	require.Contains(t, p.said(), "web-threads")
	require.True(t, strings.HasPrefix(<-p.address, "127.0.0.1:"))
}
