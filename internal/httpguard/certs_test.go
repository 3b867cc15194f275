package httpguard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(tb testing.TB) *authority {
	tb.Helper()
	a := &authority{key: newKey(tb)}
	a.cert = sign(tb, &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}, a.key, a)
	return a
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(tb, err)
	return key
}

// sign makes a certificate; one without a signer yet signs itself.
func sign(
	tb testing.TB, c *x509.Certificate, key *ecdsa.PrivateKey, by *authority,
) *x509.Certificate {
	tb.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	require.NoError(tb, err)
	c.SerialNumber = serial
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent := by.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by.key)
	require.NoError(tb, err)
	signed, err := x509.ParseCertificate(der)
	require.NoError(tb, err)
	return signed
}

// server signs a certificate for a server on this machine.
func (a *authority) server(tb testing.TB) tls.Certificate {
	tb.Helper()
	return a.pair(tb, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "node7"},
		DNSNames:    []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// client signs a certificate for a client.
func (a *authority) client(tb testing.TB, name string, uris ...string) tls.Certificate {
	tb.Helper()
	c := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name, Organization: []string{"lab"}},
		DNSNames:    []string{name + ".lab"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, text := range uris {
		uri, err := url.Parse(text)
		require.NoError(tb, err)
		c.URIs = append(c.URIs, uri)
	}
	return a.pair(tb, c)
}

func (a *authority) pair(tb testing.TB, c *x509.Certificate) tls.Certificate {
	tb.Helper()
	key := newKey(tb)
	leaf := sign(tb, c, key, a)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// write writes a CA, or a certificate and its key, as files in dir.
func (a *authority) write(tb testing.TB, dir string) string {
	tb.Helper()
	path := filepath.Join(dir, "ca.pem")
	writePEM(tb, path, "CERTIFICATE", a.cert.Raw)
	return path
}

func writePair(tb testing.TB, dir string, pair tls.Certificate) (cert, key string) {
	tb.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(tb, err)
	writePEM(tb, key, "PRIVATE KEY", der)
	writePEM(tb, cert, "CERTIFICATE", pair.Certificate[0])
	return cert, key
}

// writePEM replaces a file in one step.
func writePEM(tb testing.TB, path, kind string, der []byte) {
	tb.Helper()
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	require.NoError(tb, os.WriteFile(path+".new", data, 0o600))
	require.NoError(tb, os.Rename(path+".new", path))
}
