package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

func write(t *testing.T, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "agentd.json")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	return path
}

func TestConfigurationFile(t *testing.T) {
	t.Parallel()
	path := write(t, `{
		"ip": "10.0.0.7", "port": 2505, "dir": "/var/lib/daggy", "ephemeral": true,
		"token_file": "tokens", "hosts": ["node7.cluster"], "node": "node7", "allow_root": true,
		"tls": {"cert": "c", "key": "k", "client_ca": "a"},
		"certificates": {"CN=engine,O=lab": "submit", "dns:watcher.lab": "read"},
		"capacity_overrides": {"cores": 0, "memory_mb": 100, "gpus": 2, "licences": 7},
		"limits": "required"
	}`)
	s, err := parse([]string{"-config", path})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.7:2505", s.listening.Address)
	require.Equal(t, agent.TLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}, s.listening.TLS)
	require.Equal(t, "/var/lib/daggy", s.agent.Dir)
	require.True(t, s.agent.Ephemeral)
	require.True(t, s.agent.AllowRoot)
	require.Equal(t, fork.LimitsRequired, s.agent.Limits.Mode)
	require.Equal(t, "tokens", s.agent.Auth.TokenFile)
	require.False(t, s.agent.Auth.InsecureLoopback)
	require.Equal(t, "node7", s.agent.Node)
	require.Contains(t, s.agent.Hosts, "node7.cluster")
	require.Contains(t, s.agent.Hosts, "10.0.0.7")
	submit, read := s.agent.Auth.Certificates["CN=engine,O=lab"],
		s.agent.Auth.Certificates["dns:watcher.lab"]
	require.Equal(t, "submit read", submit.String()+" "+read.String())
	require.Equal(t, capacity.Resources{"cores": 0, "memoryMB": 100, "gpus": 2, "licences": 7},
		s.agent.Capacity)
	require.Equal(t, defaultDrain, s.drain)

	// Flags come first, wherever they stand.
	s, err = parse([]string{
		"-listen", "unix:/run/agentd.sock", "-ephemeral=false", "-capacity", "cores=3",
		"-certificate", "CN=engine,O=lab=admin", "-node", "other", "-drain", "1m",
		"-config", path, "-grace", "3s", "-host", "more", "-limits", "off",
	})
	require.NoError(t, err)
	require.Equal(t, "unix:/run/agentd.sock", s.listening.Address)
	require.False(t, s.agent.Ephemeral)
	require.EqualValues(t, 3, s.agent.Capacity["cores"])
	require.EqualValues(t, 100, s.agent.Capacity["memoryMB"])
	require.Equal(t, "admin", s.agent.Auth.Certificates["CN=engine,O=lab"].String())
	require.Equal(t, "other", s.agent.Node)
	require.Equal(t, time.Minute, s.drain)
	require.Equal(t, 3*time.Second, s.agent.Grace)
	require.Equal(t, fork.LimitsOff, s.agent.Limits.Mode)
	require.Contains(t, s.agent.Hosts, "more")
}

func TestAddressOfTheFile(t *testing.T) {
	t.Parallel()
	for config, want := range map[string]string{
		`{}`:                        "", // the default, or systemd's
		`{"ip": "::1"}`:             "[::1]:2504",
		`{"port": 1}`:               "127.0.0.1:1",
		`{"listen": "unix:/a/b"}`:   "unix:/a/b",
		`{"listen": "localhost:3"}`: "localhost:3",
	} {
		s, err := parse([]string{"-config", write(t, config), "-insecure-loopback", "-ephemeral"})
		require.NoError(t, err, config)
		require.Equal(t, want, s.listening.Address, config)
	}
}

func TestBadConfigurationFiles(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		says       []string
	}{
		{"empty", "", []string{"not JSON"}},
		{"a list", "[]", []string{"in braces"}},
		{"cut off", `{"ip": "localhost"`, []string{"not JSON"}},
		{"more", `{} {}`, []string{"follows"}},
		{"unknown", "{\n\n\"capacity_override\": {}}", []string{"line 3", `"capacity_overrides"?`}},
		{"another case", `{"Port": 1}`, []string{`"Port"`, `"port"?`}},
		{"far off", `{"zzzzzz": 1}`, []string{`unknown member "zzzzzz"`}},
		{"twice", `{"port": 1, "port": 2}`, []string{"twice"}},
		{"wrong type", `{"port": "x", "ip": 3}`, []string{`"ip"`, "number"}},
		{"a port too many", `{"port": 65536}`, []string{"65536"}},
		{"null", `{"dir": null}`, []string{`"dir"`, "null"}},
		{"both", `{"listen": "x:1", "port": 1}`, []string{"instead"}},
		{"threads", `{"web-threads": "many"}`, []string{`"web-threads"`}},
		{"nearly a resource", `{"capacity_overrides": {"core": 1}}`, []string{`"cores"?`}},
		{"negative", `{"capacity_overrides": {"cores": -1}}`, []string{`"cores"`, "negative"}},
		{"half a core", `{"capacity_overrides": {"cores": 1.5}}`, []string{`"cores"`}},
		{"resources twice", `{"capacity_overrides": {"cores": 1, "cores": 2}}`, []string{"twice"}},
		{"unknown in tls", `{"tls": {"certs": "x"}}`, []string{`"tls"`, `"cert"?`}},
		{"limits", `{"limits": "on"}`, []string{`"limits"`, "possible"}},
		{"unknown role", `{"certificates": {"CN=x": "root"}}`, []string{`"CN=x"`, "admin"}},
		{
			"several", `{"prot": 1, "ephemeral": 3, "hosts": "x"}`,
			[]string{`"port"?`, `"ephemeral"`, `"hosts"`},
		},
		{"long", `{"dir": "` + strings.Repeat("x", maxConfig) + `"}`, []string{"longer"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tc.text)
			_, err := parse([]string{"-config", path, "-insecure-loopback", "-ephemeral"})
			require.Error(t, err)
			for _, text := range append(tc.says, path) {
				require.ErrorContains(t, err, text)
			}
		})
	}
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ flag, value, says string }{
		{"-capacity", "cores", "RESOURCE=AMOUNT"},
		{"-capacity", "cores=many", "RESOURCE=AMOUNT"},
		{"-capacity", "=1", "name"},
		{"-capacity", "memory=1", "memoryMB"},
		{"-certificate", "engine", "NAME=ROLE"},
		{"-certificate", "CN=engine", "admin"},
		{"-drain", "-1s", "negative"},
		{"-limits", "some", "required"},
		{"-grace", "soon", "soon"},
		{"-log", "xml", "json"},
		{"-dir", "", "empty"},
	} {
		_, err := parse([]string{"-ephemeral", "-insecure-loopback", tc.flag, tc.value})
		require.ErrorContains(t, err, tc.says, "%s %s", tc.flag, tc.value)
		require.ErrorContains(t, err, strings.TrimPrefix(tc.flag, "-"))
	}
	_, err := parse([]string{"-help"})
	require.ErrorIs(t, err, flag.ErrHelp)
}

// Every flag is in the usage, and the other way round.
func TestUsage(t *testing.T) {
	t.Parallel()
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	flags(fs, &[]setter{})
	fs.String("config", "", "")
	count := 0
	fs.VisitAll(func(f *flag.Flag) {
		count++
		require.Contains(t, usage, "\n  -"+f.Name+" ")
	})
	require.Equal(t, count, strings.Count(usage, "\n  -"))
}

// The units start what there is.
func TestUnits(t *testing.T) {
	t.Parallel()
	unit, err := os.ReadFile("agentd.service")
	require.NoError(t, err)
	var words []string
	for line := range strings.Lines(string(unit)) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			words = strings.Fields(command)
		}
	}
	require.NotEmpty(t, words)
	s, err := parse(append(words[1:], "-dir", "of $STATE_DIRECTORY"))
	require.NoError(t, err)
	require.Empty(t, s.listening.Address, "that of the socket unit, or the default")
	require.Contains(t, string(unit), "KillMode=process")
	require.Contains(t, string(unit), "StateDirectory=")
	// Without the second, nothing is enforced by control groups of version 2.
	require.Contains(t, string(unit), "\nDelegate=cpu memory pids\nDelegateSubgroup=engine\n")
	socket, err := os.ReadFile("agentd.socket")
	require.NoError(t, err)
	require.Contains(t, string(socket), "ListenStream="+defaultAddress+"\n")
}
