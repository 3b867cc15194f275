//go:build unix

package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/runner"
)

// fleet is an executor for these nodes, which must all be there.
func fleet(t *testing.T, nodes ...remote.Node) *remote.Executor {
	t.Helper()
	e, err := remote.New(remote.Config{Nodes: nodes, Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, e.Await(ctx))
	return e
}

// completes runs tasks that there is room for on one node only, two at a time, and
// returns on how many nodes they were.
func completes(t *testing.T, e *remote.Executor) int {
	t.Helper()
	d := &dag.DAG{JobDefaults: dag.Job{Resources: dag.Resources{dag.Cores: 2}}}
	for _, name := range []string{"a", "b", "c", "d"} {
		d.Tasks = append(d.Tasks, dag.Task{Name: name, Job: dag.Command("echo", name)})
	}
	d.Tasks = append(d.Tasks, dag.Task{
		Name: "last", Job: dag.Command("echo"), Parents: []string{"a", "b", "c", "d"},
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report, err := (&runner.Runner{Executor: e}).Run(ctx, d)
	require.NoError(t, err)
	require.Equal(t, runner.RunCompleted, report.State)
	nodes := map[string]bool{}
	for task := range report.Tasks() {
		nodes[task.Result.Node] = true
	}
	return len(nodes)
}

// An engine runs a DAG on daemons that know it by its certificate, by a token over
// TLS, and by a token through a unix socket.
func TestEngine(t *testing.T) {
	t.Parallel()
	cert, key, pair, pool := selfSigned(t)
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte(submitToken+"\n"), 0o600))
	socket := filepath.Join(t.TempDir(), "agentd.sock")
	common := []string{"-ephemeral", "-capacity", "cores=2", "-capacity", "memoryMB=100"}
	boot := func(args ...string) string {
		p := launch(t, nil, append(args, common...)...)
		return p.connect(t, "").base[len("http://"):]
	}
	byCert := boot("-listen", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key, "-client-ca", cert,
		"-certificate", "CN=engine=submit", "-node", "by certificate")
	byToken := boot("-listen", "127.0.0.1:0", "-tls-cert", cert, "-tls-key", key,
		"-token-file", tokenFile(t), "-node", "by token")
	boot("-listen", "unix:"+socket, "-token-file", tokenFile(t), "-node", "by socket")
	secure := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	mutual := secure.Clone()
	mutual.Certificates = []tls.Certificate{pair}
	e := fleet(t,
		remote.Node{Name: "by certificate", URL: "https://" + byCert, TLS: mutual},
		remote.Node{Name: "by token", URL: "https://" + byToken, TLS: secure, TokenFile: token},
		remote.Node{Name: "by socket", URL: "unix://" + socket, TokenFile: token},
	)
	require.Equal(t, 3, completes(t, e))
}

// A token is replaced while an engine works: both are valid for a while.
func TestTokenRotation(t *testing.T) {
	t.Parallel()
	tokens := tokenFile(t)
	mine := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(mine, []byte(submitToken), 0o600))
	p := launch(t, nil, "-ephemeral", "-listen", "127.0.0.1:0", "-token-file", tokens,
		"-capacity", "cores=2", "-capacity", "memoryMB=100")
	address := p.connect(t, "").base[len("http://"):]
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	node := remote.Node{Name: "node", URL: "http://localhost:" + port, TokenFile: mine}
	e := fleet(t, node)
	completes(t, e)
	// A request for submissions goes on for a while; what comes after it needs a token
	// that is valid now.
	another := func() { <-time.After(3 * time.Second) }
	replace := func(path, text string) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		p.signal(t, syscall.SIGHUP)
	}
	valid := func(token string, status int) {
		require.Eventually(t, func() bool {
			got, _ := p.connect(t, token).ask(t, http.MethodGet, "/api/v1/capacity", "")
			return got == status
		}, patience, 20*time.Millisecond)
	}
	replace(tokens, "submit "+submitToken+"\nsubmit "+laterToken+"\n")
	valid(laterToken, http.StatusOK)
	another()
	completes(t, e)
	replace(mine, laterToken)
	replace(tokens, "submit "+laterToken+"\n")
	valid(submitToken, http.StatusUnauthorized)
	another()
	completes(t, e)
}
