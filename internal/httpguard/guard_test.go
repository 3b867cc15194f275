package httpguard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// S1, S2.
func TestEveryRouteIsGuarded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := guard(t, &log, unreachable(t))
	g.LogAll()
	guardtest.Run(t, guardtest.Config{Handler: g, Routes: g.Routes(), Tokens: guardtest.Tokens()})
	require.NotEmpty(t, log.String())
	requireNoSecret(t, log.String())
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
		{
			"a stream", "POST", "http://localhost/api/v1/stream", httpguard.Submit,
			http.Header{"Content-Type": {httpguard.NDJSON}},
			strings.Repeat("{}\n", httpguard.DefaultMaxBody),
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
	begin := func(http.ResponseWriter) {}
	g := guard(t, &log, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begin(w)
		panic("the inner workings")
	}))
	send := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/ready", http.NoBody))
		return w
	}
	w := send()
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NotContains(t, w.Body.String(), "workings")
	require.Contains(t, log.String(), "the inner workings")
	require.Contains(t, log.String(), "guard_test.go", "the stack")
	// Half an answer is not to look like a whole one.
	for name, how := range map[string]func(http.ResponseWriter){
		"header": func(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) },
		"write":  func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half of") },
		"copy":   func(w http.ResponseWriter) { _, _ = io.Copy(w, io.LimitReader(&zeros{}, 9)) },
		"flush":  func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		begin = how
		require.PanicsWithValue(t, http.ErrAbortHandler, func() { send() }, name)
	}
	begin = func(w http.ResponseWriter) { w.WriteHeader(http.StatusEarlyHints) }
	require.Contains(t, send().Body.String(), `"error"`, "that was not the answer yet")
	begin = func(http.ResponseWriter) { panic(http.ErrAbortHandler) }
	require.PanicsWithValue(t, http.ErrAbortHandler, func() { send() })
}

func TestWriteError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		err    error
		status int
		body   string
		after  string
	}{
		{
			"all of it", &httpguard.Error{
				Status: 429, Text: "full", Code: "noRoom", Hint: "wait",
				RetryAfter: 1500 * time.Millisecond,
			}, 429, `{"error":"full","code":"noRoom","hint":"wait","retryAfterSeconds":1.5}`, "2",
		},
		{
			"wrapped", fmt.Errorf("outer: %w", &httpguard.Error{Status: 404, Text: "no"}), 404,
			`{"error":"no","code":"notFound"}`, "",
		},
		{
			"no status", &httpguard.Error{Text: "hm"}, 500, `{"error":"hm","code":"internal"}`, "",
		},
		{
			"too long", fmt.Errorf("read: %w", &http.MaxBytesError{Limit: 7}), 413,
			`{"error":"the body is longer than 7 bytes","code":"tooLarge",` +
				`"hint":"send less at a time"}`, "",
		},
		{
			"anything", errors.New("the inner workings"), 500,
			`{"error":"internal error","code":"internal","hint":"the daemon's log says more"}`, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			httpguard.WriteError(w, tc.err)
			require.Equal(t, tc.status, w.Code)
			require.JSONEq(t, tc.body, w.Body.String())
			require.Equal(t, tc.after, w.Header().Get("Retry-After"))
		})
	}
}

// A request may call the daemon by the address that its connection came in on, and
// by no other.
func TestHostIsTheAddressOfTheConnection(t *testing.T) {
	t.Parallel()
	g := guard(t, io.Discard, hello())
	for _, tc := range []struct {
		local, host string
		want        int
	}{
		{"10.0.0.7", "10.0.0.7:2504", 200},
		{"::ffff:10.0.0.7", "10.0.0.7", 200},
		{"10.0.0.7", "10.0.0.8", 421},
		{"fd00::1", "[fd00:0:0::1]:2504", 200},
		{"fd00::1", "[fd00::2]", 421},
		{"fd00::1", "[fd00::1%eth0]", 421},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/ready", http.NoBody)
		r.Host = tc.host
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey,
			&net.TCPAddr{IP: net.ParseIP(tc.local), Port: 2504}))
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		require.Equal(t, tc.want, w.Code, "%s at %s", tc.host, tc.local)
	}
}
