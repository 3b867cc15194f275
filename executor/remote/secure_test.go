package remote_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

// certificate writes a certificate for 127.0.0.1 and other addresses that vouches for
// itself, and returns who trusts it.
func certificate(t *testing.T, dir string, others ...net.IP) (agent.TLS, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses:           append(others, net.IPv4(127, 0, 0, 1)),
		BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	files := agent.TLS{
		CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(files.CertFile, cert, 0o600))
	require.NoError(t, os.WriteFile(files.KeyFile,
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs}), 0o600))
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(cert))
	return files, pool
}

// Real TLS, real tokens: a node that takes no token of ours says so, one that cannot
// prove who it is gets none, and a token file that is replaced is read again.
func TestSecureNode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, pool := certificate(t, dir)
	good, bad := "submit "+rand.Text()+"\n", "submit "+rand.Text()+"\n"
	theirs, ours := filepath.Join(dir, "theirs"), filepath.Join(dir, "ours")
	require.NoError(t, os.WriteFile(theirs, []byte(good), 0o600))
	require.NoError(t, os.WriteFile(ours, []byte(bad), 0o600))
	daemon, err := agent.New(t.Context(), agent.Config{
		Ephemeral: true, Node: "n", Auth: agent.Auth{TokenFile: theirs},
		Capacity: capacity.Resources{dag.Cores: 2, dag.MemoryMB: 1},
		Executor: executor.RunFunc(func(
			context.Context, *executor.Attempt,
		) (executor.Result, error) {
			return executor.Result{}, nil
		}),
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	address, served := make(chan string, 1), make(chan error, 1)
	go func() {
		served <- daemon.Serve(ctx, agent.Listening{Address: "127.0.0.1:0", TLS: files, Grace: -1},
			func(a string) { address <- a })
	}()
	url := "https://" + <-address
	t.Cleanup(func() {
		require.NoError(t, daemon.Shutdown(context.Background()))
		stop()
		if err := <-served; err != nil {
			t.Log(err) // requests that were cut off
		}
	})
	var log bytes.Buffer
	trusting := remote.Node{
		Name: "trusting", URL: url, TokenFile: ours, TLS: &tls.Config{RootCAs: pool},
	}
	wary := remote.Node{Name: "wary", URL: url, TokenFile: theirs}
	e, err := remote.New(remote.Config{
		Ephemeral: true, Nodes: []remote.Node{trusting, wary}, MaxBackoff: 50 * time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	requireTrouble(t, e, "trusting", "401")
	requireTrouble(t, e, "trusting", "a token of the daemon's token file") // what to do
	requireTrouble(t, e, "wary", "certificate")

	require.NoError(t, os.WriteFile(ours, []byte(good), 0o600))
	require.Eventually(t, func() bool { return e.Nodes()[0].Up }, 30*time.Second, time.Millisecond)
	c := start(t, e, "trusting", "k1")
	<-c.done
	require.NoError(t, c.err)
	require.True(t, c.result.OK())
	secrets := strings.Fields(good + bad)
	states := e.Nodes()
	require.NoError(t, e.Close()) // nobody writes to log any more
	for _, secret := range []string{secrets[1], secrets[3]} {
		require.NotContains(t, log.String(), secret)
		for _, n := range states {
			require.NotContains(t, n.Trouble, secret)
		}
	}
	require.Contains(t, log.String(), "401")
}

func requireTrouble(t *testing.T, e *remote.Executor, node, want string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, n := range e.Nodes() {
			if n.Name == node && strings.Contains(n.Trouble, want) {
				return true
			}
		}
		return false
	}, 30*time.Second, time.Millisecond, "%v", e.Nodes())
}
