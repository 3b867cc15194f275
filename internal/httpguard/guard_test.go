package httpguard_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// routes are some of all roles, as a daemon may have them.
func routes() []httpguard.Route {
	return []httpguard.Route{
		{Pattern: "GET /ready", Role: httpguard.Public},
		{Pattern: "GET /api/v1/capacity", Role: httpguard.Read},
		{Pattern: "GET /api/v1/task/{key}", Role: httpguard.Read, MaxBody: -1},
		{Pattern: "PUT /api/v1/task/{key}", Role: httpguard.Submit, MaxBody: 1 << 20},
		{Pattern: "DELETE /api/v1/task/{key}", Role: httpguard.Submit},
		{
			Pattern: "POST /api/v1/tasks", Role: httpguard.Submit,
			Types: []string{httpguard.NDJSON, httpguard.JSON},
		},
		{Pattern: "POST /api/v1/drain", Role: httpguard.Admin},
	}
}

// guard returns one that has the tokens of guardtest, and these routes with h as
// their handler.
func guard(tb testing.TB, log io.Writer, h http.Handler) *httpguard.Guard {
	tb.Helper()
	g, err := httpguard.New(httpguard.Config{
		Auth:   httpguard.Auth{TokenFile: guardtest.TokenFile(tb, guardtest.Tokens())},
		Hosts:  []string{"node7", "fd00::7"},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(tb, err)
	for _, r := range routes() {
		r.Handler = h
		g.Handle(r)
	}
	return g
}

func unreachable(tb testing.TB) http.Handler {
	tb.Helper()
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		tb.Errorf("%s %s reached the handler", r.Method, r.URL)
	})
}

// S1, S2.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := guard(t, &log, unreachable(t))
	guardtest.Run(t, guardtest.Config{Handler: g, Routes: g.Routes(), Tokens: guardtest.Tokens()})
	require.NotEmpty(t, log.String())
	requireNoSecret(t, log.String())
}

func requireNoSecret(tb testing.TB, text string) {
	tb.Helper()
	require.NotContains(tb, text, "wrong-but-long-enough-token")
	require.NotContains(tb, text, "Bearer")
	for _, token := range guardtest.Tokens() {
		require.NotContains(tb, text, token)
	}
}

// The zero Auth denies (S1).
func TestZeroAuthDenies(t *testing.T) {
	t.Parallel()
	g, err := httpguard.New(httpguard.Config{})
	require.NoError(t, err)
	g.Handle(httpguard.Route{
		Pattern: "GET /", Role: httpguard.Read, Handler: unreachable(t),
	})
	for _, header := range []string{"", "Bearer ", "Bearer nothing"} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/", http.NoBody)
		r.RemoteAddr = "127.0.0.1:1"
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		require.Equal(t, http.StatusUnauthorized, w.Code)
	}
}

func TestRoutesNeedARole(t *testing.T) {
	t.Parallel()
	g := guard(t, io.Discard, unreachable(t))
	for _, r := range []httpguard.Route{
		{Pattern: "GET /a", Handler: unreachable(t)},
		{Pattern: "GET /a", Role: httpguard.Admin + 1, Handler: unreachable(t)},
		{Pattern: "/a", Role: httpguard.Read, Handler: unreachable(t)},
		{Pattern: "GET host/a", Role: httpguard.Read, Handler: unreachable(t)},
		{Pattern: "GET /a", Role: httpguard.Read},
		{Pattern: "GET /ready", Role: httpguard.Read, Handler: unreachable(t)},
	} {
		require.Panics(t, func() { g.Handle(r) }, r.Pattern)
	}
}

func TestWhoIsLetThrough(t *testing.T) {
	t.Parallel()
	tokens := guardtest.Tokens()
	for _, tc := range []struct {
		name   string
		method string
		url    string
		role   httpguard.Role
		header http.Header
		body   string
	}{
		{"public", "GET", "http://localhost/ready", httpguard.Public, nil, ""},
		{
			"public, by a link", "GET", "http://localhost/ready", httpguard.Public,
			http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}},
			"",
		},
		{"its role", "GET", "http://127.0.0.1:2504/api/v1/capacity", httpguard.Read, nil, ""},
		{"HEAD", "HEAD", "http://[::1]/api/v1/capacity", httpguard.Read, nil, ""},
		{"a higher role", "GET", "http://node7/api/v1/capacity", httpguard.Admin, nil, ""},
		{
			"another spelling", "GET", "http://NODE7:1/api/v1/capacity", httpguard.Read,
			http.Header{"Authorization": {"bearer " + tokens[httpguard.Read]}},
			"",
		},
		{"an address", "GET", "http://[fd00:0::7]:1/api/v1/capacity", httpguard.Read, nil, ""},
		{
			"its own page", "GET", "http://localhost/api/v1/capacity", httpguard.Read,
			http.Header{"Sec-Fetch-Site": {"same-origin"}},
			"",
		},
		{
			"its own page, old browser", "POST", "http://localhost:1/api/v1/drain", httpguard.Admin,
			http.Header{"Origin": {"http://localhost:1"}},
			"",
		},
		{"a query", "GET", "http://localhost/api/v1/task/x?wait=30s", httpguard.Read, nil, ""},
		{
			"a body", "PUT", "http://localhost/api/v1/task/x", httpguard.Submit,
			http.Header{"Content-Type": {"application/json"}},
			"{}",
		},
		{
			"a charset", "PUT", "http://localhost/api/v1/task/x", httpguard.Submit,
			http.Header{"Content-Type": {"Application/JSON; charset=UTF-8"}},
			"{}",
		},
		{
			"identity", "POST", "http://localhost/api/v1/tasks", httpguard.Submit,
			http.Header{"Content-Type": {httpguard.NDJSON}, "Content-Encoding": {"identity"}},
			"{}",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			reached := false
			g := guard(t, io.Discard, http.HandlerFunc(
				func(_ http.ResponseWriter, r *http.Request) {
					data, err := io.ReadAll(r.Body)
					reached = err == nil && string(data) == tc.body
				}))
			r := httptest.NewRequest(tc.method, tc.url, strings.NewReader(tc.body))
			if token := tokens[tc.role]; token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			for name, values := range tc.header {
				r.Header[name] = values
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			require.True(t, reached, "status %d: %s", w.Code, w.Body)
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		})
	}
}

// Whoever is not known does not learn which paths there are.
func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	g := guard(t, io.Discard, unreachable(t))
	bodies := map[string]bool{}
	for _, method := range []string{"GET", "POST", "TRACE", "CONNECT", "MADEUP"} {
		for _, path := range []string{
			"/api/v1/task/x", "/no/such/path", "/", "//api/v1/capacity", "/api/v1/capacity/", "*",
		} {
			r := httptest.NewRequest(http.MethodGet, "http://localhost/", http.NoBody)
			r.Method, r.URL.Path, r.RequestURI = method, path, path
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			require.Equal(t, http.StatusUnauthorized, w.Code, "%s %s", method, path)
			require.Empty(t, w.Header().Get("Allow"))
			require.Empty(t, w.Header().Get("Location"))
			bodies[w.Body.String()] = true
		}
	}
	require.Len(t, bodies, 1)
}

func TestAllowIsOfTheMux(t *testing.T) {
	t.Parallel()
	g := guard(t, io.Discard, unreachable(t))
	w := httptest.NewRecorder()
	r := httptest.NewRequest("MADEUP", "http://localhost/api/v1/task/x", http.NoBody)
	r.Header.Set("Authorization", "Bearer "+guardtest.Tokens()[httpguard.Read])
	g.ServeHTTP(w, r)
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "DELETE, GET, HEAD, PUT", w.Header().Get("Allow"))
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	var answer map[string]string
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Contains(t, answer["hint"], "PUT")
}

func TestPanicsStayInside(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := guard(t, &log, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = w.Write([]byte("half of"))
		}
		panic("the inner workings")
	}))
	send := func(method, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://localhost"+path, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+guardtest.Tokens()[httpguard.Admin])
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w
	}
	w := send(http.MethodGet, "/ready")
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "workings")
	require.Contains(t, log.String(), "the inner workings")
	require.Contains(t, log.String(), "guard_test.go", "the stack")
	requireNoSecret(t, log.String())
	// Half an answer is not to look like a whole one.
	require.PanicsWithValue(t, http.ErrAbortHandler, func() {
		send(http.MethodPost, "/api/v1/drain")
	})
}
