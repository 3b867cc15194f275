package httpguard_test

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
)

// What would let in those who should not be is refused, with what to do (S1).
func TestRefusedToListen(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	dir := t.TempDir()
	cert, key := writePair(t, dir, ca.server(t))
	secure := httpguard.TLS{CertFile: cert, KeyFile: key}
	mutual := httpguard.TLS{CertFile: cert, KeyFile: key, ClientCAFile: ca.write(t, dir)}
	tokens := tokenAuth(t)
	certs := httpguard.Auth{Certificates: map[string]httpguard.Role{"dns:x": httpguard.Read}}
	insecure := httpguard.Auth{InsecureLoopback: true}
	for _, tc := range []struct {
		name    string
		address string
		auth    httpguard.Auth
		tls     httpguard.TLS
		says    string // "": it listens
	}{
		{"nobody", "127.0.0.1:0", httpguard.Auth{}, httpguard.TLS{}, "TokenFile"},
		{"nobody, with TLS", "0.0.0.0:0", httpguard.Auth{}, secure, "TokenFile"},
		{"nobody, with TLS of clients", "0.0.0.0:0", httpguard.Auth{}, mutual, "TokenFile"},
		{
			"nobody on a socket", "unix:" + dir + "/s",
			httpguard.Auth{},
			httpguard.TLS{},
			"TokenFile",
		},
		{"insecure", "127.0.0.1:0", insecure, httpguard.TLS{}, ""},
		{"insecure by name", "localhost:0", insecure, httpguard.TLS{}, ""},
		{"insecure network", "0.0.0.0:0", insecure, httpguard.TLS{}, "127.0.0.1"},
		{"insecure network, all", ":0", insecure, httpguard.TLS{}, "127.0.0.1"},
		{"insecure network with TLS", "0.0.0.0:0", insecure, secure, "InsecureLoopback"},
		{"tokens", "127.0.0.1:0", tokens, httpguard.TLS{}, ""},
		{"tokens on a network", "0.0.0.0:0", tokens, httpguard.TLS{}, "TLS.CertFile"},
		{"tokens everywhere", "[::]:0", tokens, httpguard.TLS{}, "TLS.CertFile"},
		{"tokens with TLS", "0.0.0.0:0", tokens, secure, ""},
		{"certificates", "0.0.0.0:0", certs, mutual, ""},
		{"certificates that nobody checks", "127.0.0.1:0", certs, secure, "ClientCAFile"},
		{"half of TLS", "127.0.0.1:0", tokens, httpguard.TLS{CertFile: cert}, "KeyFile"},
		{"CA only", "127.0.0.1:0", tokens, httpguard.TLS{ClientCAFile: cert}, "CertFile"},
		{
			"key of another kind", "127.0.0.1:0", tokens,
			httpguard.TLS{CertFile: cert, KeyFile: cert},
			cert,
		},
		{
			"no such file", "127.0.0.1:0", tokens,
			httpguard.TLS{CertFile: "/no/cert", KeyFile: "/no/key"},
			"/no/cert",
		},
		{
			"not a CA", "127.0.0.1:0", tokens,
			httpguard.TLS{CertFile: cert, KeyFile: key, ClientCAFile: key},
			"client CAs",
		},
		{"no port", "127.0.0.1", tokens, httpguard.TLS{}, "HOST:PORT"},
		{"no path", "unix:", tokens, httpguard.TLS{}, "path"},
		{"unknown host", "no-such-host.invalid:0", tokens, httpguard.TLS{}, "no-such-host"},
		{"empty", "", tokens, httpguard.TLS{}, "HOST:PORT"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			g, err := httpguard.New(httpguard.Config{Auth: tc.auth})
			require.NoError(t, err)
			l, err := g.Listen(t.Context(), httpguard.Listening{Address: tc.address, TLS: tc.tls})
			if tc.says == "" {
				require.NoError(t, err)
				require.NoError(t, l.Close())
				return
			}
			require.ErrorContains(t, err, tc.says)
			require.Nil(t, l)
		})
	}
}

// What systemd opens is judged as well.
func TestAdoptedSocketsAreJudged(t *testing.T) {
	t.Parallel()
	g, err := httpguard.New(httpguard.Config{Auth: tokenAuth(t)})
	require.NoError(t, err)
	var lc net.ListenConfig
	wide, err := lc.Listen(t.Context(), "tcp", "0.0.0.0:0")
	require.NoError(t, err)
	_, err = g.Adopt(wide, httpguard.Listening{})
	require.ErrorContains(t, err, "TLS.CertFile")
	require.NoError(t, wide.Close(), "it was left open")
	narrow, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l, err := g.Adopt(narrow, httpguard.Listening{})
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func unixClient(tb testing.TB, path string) *http.Client {
	tb.Helper()
	return newClient(tb, &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	})
}

func TestUnixSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daggy.sock")
	insecure := httpguard.Auth{InsecureLoopback: true}
	d := start(t, insecure, httpguard.Listening{Address: "unix:" + path}, hello())
	client := unixClient(t, path)
	drain := "http://localhost/api/v1/drain"
	status, body := send(t, client, request(t, httpguard.Public, http.MethodPost, drain, nil))
	require.Equal(t, http.StatusOK, status, body)

	_, err := d.Listen(t.Context(), httpguard.Listening{Address: "unix:" + path})
	require.ErrorContains(t, err, "somebody listens")
	require.NoError(t, d.stop())
	require.NoFileExists(t, path)

	// One that was left behind is replaced, anything else is not.
	left, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	require.NoError(t, err)
	left.SetUnlinkOnClose(false)
	require.NoError(t, left.Close())
	require.FileExists(t, path)
	l, err := d.Listen(t.Context(), httpguard.Listening{Address: "unix:" + path})
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, os.WriteFile(path, []byte("mine"), 0o600))
	_, err = d.Listen(t.Context(), httpguard.Listening{Address: "unix:" + path})
	require.ErrorContains(t, err, "not a socket")
	require.FileExists(t, path)
	_, err = d.Listen(t.Context(), httpguard.Listening{
		Address: "unix:" + path + strings.Repeat("x", 200),
	})
	require.Error(t, err)
}
