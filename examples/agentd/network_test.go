package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func unixTransport(path string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}
}

// selfSigned writes a certificate that is its own CA, for servers on this machine
// and for a client that is called engine.
func selfSigned(t *testing.T) (cert, key string, pair tls.Certificate, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "engine"}, IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	require.NoError(t, os.WriteFile(cert, certPEM, 0o600))
	require.NoError(t, os.WriteFile(key, keyPEM, 0o600))
	pair, err = tls.X509KeyPair(certPEM, keyPEM)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return cert, key, pair, pool
}

// On an address that others can reach: TLS, client certificates, and no jobs as
// root unless that is said.
func TestNetwork(t *testing.T) {
	t.Parallel()
	cert, key, pair, pool := selfSigned(t)
	args := []string{
		"-listen", "0.0.0.0:0", "-ephemeral", "-tls-cert", cert, "-tls-key", key,
		"-client-ca", cert, "-certificate", "CN=engine=submit",
	}
	if os.Geteuid() == 0 {
		p := launch(t, nil, args...)
		require.Equal(t, exitFailed, p.code(t))
		require.Contains(t, p.said(), "-allow-root")
		require.NotContains(t, p.said(), "listening")
		args = append(args, "-allow-root")
	}
	p := launch(t, nil, args...)
	_, port, err := net.SplitHostPort(p.connect(t, "").base[len("http://"):])
	require.NoError(t, err)
	c := clientOf(t, &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair},
	}}, "https://127.0.0.1:"+port, "")
	attempt := newKey()
	status, body := c.submit(t, attempt, "echo", "over TLS")
	require.Equal(t, http.StatusCreated, status, body)
	c.ended(t, attempt)
	status, _ = c.ask(t, http.MethodGet, "/api/v1/capacity", "")
	require.Equal(t, http.StatusOK, status)
}
