package httpguard_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
)

// tlsClient trusts ca and shows its certificates, if any.
func tlsClient(tb testing.TB, ca *authority, certs ...tls.Certificate) *http.Client {
	tb.Helper()
	return newClient(tb, &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: ca.pool(), Certificates: certs,
		},
	})
}

// refusedBy returns why there was no answer.
func refusedBy(c *http.Client, r *http.Request) error {
	answer, err := c.Do(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
	return err
}

func TestTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	cert, key := writePair(t, t.TempDir(), ca.server(t))
	d := start(t, tokenAuth(t), httpguard.Listening{
		TLS: httpguard.TLS{CertFile: cert, KeyFile: key},
	}, hello())
	url := "https://" + d.address + "/api/v1/capacity"
	get := func(role httpguard.Role) *http.Request {
		return request(t, role, http.MethodGet, url, nil)
	}
	client := tlsClient(t, ca)
	status, body := send(t, client, get(httpguard.Read))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "hello", body)
	status, _ = send(t, client, get(httpguard.Public))
	require.Equal(t, http.StatusUnauthorized, status)

	require.Error(t, refusedBy(tlsClient(t, newAuthority(t)), get(httpguard.Read)),
		"not the client's CA")

	plain := get(httpguard.Read)
	plain.URL.Scheme = "http"
	status, _ = send(t, newClient(t, &http.Transport{}), plain)
	require.Equal(t, http.StatusBadRequest, status, "HTTP on a TLS socket")

	config := &tls.Config{
		RootCAs: ca.pool(), ServerName: "localhost",
		MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11,
	}
	_, err := tls.Dial("tcp", d.address, config)
	require.ErrorContains(t, err, "version")
}

// Roles come from certificates that the client CA has signed (S1).
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca, dir := newAuthority(t), t.TempDir()
	cert, key := writePair(t, dir, ca.server(t))
	auth := tokenAuth(t)
	auth.Certificates = map[string]httpguard.Role{
		"CN=watcher,O=lab":    httpguard.Read,
		"dns:engine.lab":      httpguard.Submit,
		"uri:spiffe://lab/op": httpguard.Admin,
		"dns:nobody":          httpguard.Admin,
	}
	d := start(t, auth, httpguard.Listening{TLS: httpguard.TLS{
		CertFile: cert, KeyFile: key, ClientCAFile: ca.write(t, dir),
	}}, hello())
	base := "https://" + d.address
	routes := []struct{ method, path string }{
		{http.MethodGet, "/api/v1/capacity"},
		{http.MethodDelete, "/api/v1/task/x"},
		{http.MethodPost, "/api/v1/drain"},
	}
	for _, tc := range []struct {
		name   string
		client tls.Certificate
		token  httpguard.Role
		want   [3]int
	}{
		{"watcher", ca.client(t, "watcher"), 0, [3]int{200, 403, 403}},
		{"engine", ca.client(t, "engine"), 0, [3]int{200, 200, 403}},
		{"operator", ca.client(t, "x", "spiffe://lab/op"), 0, [3]int{200, 200, 200}},
		{"two names", ca.client(t, "watcher", "spiffe://lab/op"), 0, [3]int{200, 200, 200}},
		{"no role", ca.client(t, "other"), 0, [3]int{403, 403, 403}},
		{"a token decides", ca.client(t, "engine"), httpguard.Read, [3]int{200, 403, 403}},
		{"a token of one without", ca.client(t, "other"), httpguard.Submit, [3]int{200, 200, 403}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			client := tlsClient(t, ca, tc.client)
			for i, to := range routes {
				status, body := send(t, client, request(t, tc.token, to.method, base+to.path, nil))
				require.Equal(t, tc.want[i], status, "%s %s: %s", to.method, to.path, body)
				if tc.name == "no role" {
					require.Contains(t, body, "CN=other,O=lab")
				}
			}
		})
	}
	for name, client := range map[string]*http.Client{
		"no certificate": tlsClient(t, ca),
		"of another CA":  tlsClient(t, ca, newAuthority(t).client(t, "engine")),
		"of a server":    tlsClient(t, ca, ca.server(t)),
	} {
		r := request(t, httpguard.Admin, http.MethodGet, base+"/ready", nil)
		require.Error(t, refusedBy(client, r), name)
	}
	r := request(t, httpguard.Public, http.MethodGet, base+"/api/v1/capacity", nil)
	r.Header.Set("Authorization", "Bearer nothing")
	status, _ := send(t, tlsClient(t, ca, ca.client(t, "engine")), r)
	require.Equal(t, http.StatusUnauthorized, status, "a wrong token is not forgiven")
}

// A certificate without a role table is not enough.
func TestCertificateIsNotEnough(t *testing.T) {
	t.Parallel()
	ca, dir := newAuthority(t), t.TempDir()
	cert, key := writePair(t, dir, ca.server(t))
	d := start(t, tokenAuth(t), httpguard.Listening{TLS: httpguard.TLS{
		CertFile: cert, KeyFile: key, ClientCAFile: ca.write(t, dir),
	}}, hello())
	client := tlsClient(t, ca, ca.client(t, "engine"))
	url := "https://" + d.address + "/api/v1/capacity"
	status, body := send(t, client, request(t, httpguard.Public, http.MethodGet, url, nil))
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, body, "token")
	status, _ = send(t, client, request(t, httpguard.Read, http.MethodGet, url, nil))
	require.Equal(t, http.StatusOK, status)
}

// Certificates are replaced while the daemon runs.
func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	old, ca, dir := newAuthority(t), newAuthority(t), t.TempDir()
	cert, key := writePair(t, dir, old.server(t))
	d := start(t, tokenAuth(t), httpguard.Listening{
		TLS: httpguard.TLS{CertFile: cert, KeyFile: key},
	}, hello())
	works := func(ca *authority) bool {
		return refusedBy(tlsClient(t, ca),
			request(t, httpguard.Public, http.MethodGet, "https://"+d.address+"/ready", nil)) == nil
	}
	require.True(t, works(old))
	writePEM(t, filepath.Join(dir, "key.pem"), "PRIVATE KEY", []byte("nonsense"))
	eventually(t, "it is tried and logged", func() bool {
		return works(old) && strings.Contains(d.log.String(), "level=ERROR")
	})
	require.True(t, works(old), "what was read before stays")
	writePair(t, dir, ca.server(t))
	eventually(t, "the new one is used", func() bool { return works(ca) })
	require.False(t, works(old))
}

func TestKeyOfAll(t *testing.T) {
	t.Parallel()
	cert, key := writePair(t, t.TempDir(), newAuthority(t).server(t))
	g, err := httpguard.New(httpguard.Config{Auth: tokenAuth(t)})
	require.NoError(t, err)
	listening := httpguard.Listening{
		Address: "127.0.0.1:0", TLS: httpguard.TLS{CertFile: cert, KeyFile: key},
	}
	require.NoError(t, os.Chmod(key, 0o644))
	_, err = g.Listen(t.Context(), listening)
	require.ErrorContains(t, err, "chmod 0640 "+key)
	require.NoError(t, os.Chmod(key, 0o640))
	l, err := g.Listen(t.Context(), listening)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
