package httpguard_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// Whatever arrives: what reaches a handler has a token with the role of the route, is
// for this daemon and of no other site; everything else is refused in JSON, and
// nothing panics.
func FuzzRequest(f *testing.F) {
	tokens := guardtest.Tokens()
	head := " HTTP/1.1\r\nHost: localhost\r\n"
	bearer := "Authorization: Bearer " + tokens[httpguard.Submit] + "\r\n"
	for _, seed := range []string{
		"GET /ready" + head + "\r\n",
		"GET /api/v1/task/x?wait=30s" + head + bearer + "\r\n",
		"PUT /api/v1/task/x" + head + bearer + "Content-Type: application/json\r\n" +
			"Content-Length: 2\r\n\r\n{}",
		"POST /api/v1/stream" + head + bearer + "Content-Type: application/x-ndjson\r\n" +
			"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"DELETE /api/v1/task/%2e%2e" + head + bearer + "Sec-Fetch-Site: cross-site\r\n\r\n",
		"POST http://localhost/api/v1/drain" + head + bearer + "Origin: null\r\n\r\n",
		"CONNECT localhost:1" + head + bearer + "\r\n",
		"OPTIONS *" + head + bearer + "\r\n",
		"GET //api/v1/capacity/../capacity?token=x" + head + bearer + "\r\n",
		"GET /api/v1/capacity HTTP/1.0\r\n" + bearer + "\r\n",
	} {
		f.Add(seed)
	}
	var reached *http.Request
	g := guard(f, io.Discard, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached = r
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			cutOff := &httpguard.Error{Status: http.StatusBadRequest, Text: "cut off"}
			httpguard.WriteError(w, cutOff)
		}
	}))
	roles := map[string]httpguard.Role{}
	for _, r := range g.Routes() {
		roles[r.Pattern] = r.Role
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return // net/http answers it
		}
		r.RemoteAddr = "127.0.0.1:1"
		reached = nil
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		require.Less(t, w.Code, 500)
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
		if reached == nil {
			require.GreaterOrEqual(t, w.Code, 400)
			require.True(t, json.Valid(w.Body.Bytes()), w.Body)
			return
		}
		requireAllowed(t, reached, roles[reached.Pattern])
	})
}

func requireAllowed(t *testing.T, r *http.Request, need httpguard.Role) {
	t.Helper()
	require.NotZero(t, need, r.Pattern)
	name, _, _ := strings.Cut(strings.Trim(strings.ToLower(r.Host), "[]"), ":")
	if strings.HasPrefix(r.Host, "[") {
		name = "an address"
	}
	require.Contains(t, []string{"localhost", "127.0.0.1", "node7", "an address"}, name)
	require.False(t, r.URL.Query().Has("token"))
	if need == httpguard.Public {
		return
	}
	require.Contains(t, []string{"", "none", "same-origin"}, r.Header.Get("Sec-Fetch-Site"))
	require.Len(t, r.Header["Authorization"], 1)
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	for role, known := range guardtest.Tokens() {
		if token == known {
			require.GreaterOrEqual(t, role, need)
			return
		}
	}
	require.Fail(t, "an unknown token")
}
