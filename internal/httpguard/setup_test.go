package httpguard_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// patience is how long what has to happen may take on a busy machine.
const patience = 2 * time.Minute

// A journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

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
		{
			Pattern: "POST /api/v1/stream", Role: httpguard.Submit, Stream: true,
			Types: []string{httpguard.NDJSON},
		},
		{Pattern: "POST /api/v1/drain", Role: httpguard.Admin},
	}
}

// handleAll gives a guard these routes, with h as their handler.
func handleAll(g *httpguard.Guard, h http.Handler) {
	for _, r := range routes() {
		r.Handler = h
		g.Handle(r)
	}
}

// guard returns one that has the tokens of guardtest, and these routes with h as
// their handler.
func guard(tb testing.TB, log io.Writer, h http.Handler) *httpguard.Guard {
	tb.Helper()
	g, err := httpguard.New(httpguard.Config{
		Auth:   tokenAuth(tb),
		Hosts:  []string{"node7", "fd00::7"},
		Logger: logger(log),
	})
	require.NoError(tb, err)
	handleAll(g, h)
	return g
}

func unreachable(tb testing.TB) http.Handler {
	tb.Helper()
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		tb.Errorf("%s %s reached the handler", r.Method, r.URL)
	})
}

func requireNoSecret(tb testing.TB, text string) {
	tb.Helper()
	require.NotContains(tb, text, "wrong-but-long-enough-token")
	require.NotContains(tb, text, "Bearer nothing")
	require.NotContains(tb, text, "evil.example")
	for _, token := range guardtest.Tokens() {
		require.NotContains(tb, text, token)
	}
}

// A daemon serves until the test is over. Nothing secret may be in its log.
type daemon struct {
	*httpguard.Guard
	address string
	log     *journal
	stop    func() error
}

// start serves h for all routes. A zero address is loopback.
func start(tb testing.TB, auth httpguard.Auth, c httpguard.Listening, h http.Handler) *daemon {
	tb.Helper()
	d := &daemon{log: &journal{}}
	g, err := httpguard.New(httpguard.Config{
		Auth:   auth,
		Logger: logger(d.log),
	})
	require.NoError(tb, err)
	handleAll(g, h)
	d.Guard = g
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	l, err := g.Listen(tb.Context(), c)
	require.NoError(tb, err)
	d.address = l.Addr().String()
	d.serve(tb, l)
	return d
}

func (d *daemon) serve(tb testing.TB, l *httpguard.Listener) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- d.Serve(ctx, l, nil) }()
	d.stop = sync.OnceValue(func() error {
		cancel()
		return <-served
	})
	tb.Cleanup(func() {
		_ = d.stop() // tests that care have called it
		requireNoSecret(tb, d.log.String())
	})
}

// tokenAuth lets in the tokens of guardtest.
func tokenAuth(tb testing.TB) httpguard.Auth {
	tb.Helper()
	return httpguard.Auth{TokenFile: guardtest.TokenFile(tb, guardtest.Tokens())}
}

// newClient returns a client that keeps nothing open after the test.
func newClient(tb testing.TB, t *http.Transport) *http.Client {
	tb.Helper()
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: patience}
}

// request makes one of a role.
func request(
	tb testing.TB, role httpguard.Role, method, url string, body io.Reader,
) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, url, body)
	require.NoError(tb, err)
	if token := guardtest.Tokens()[role]; token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		r.Header.Set("Content-Type", httpguard.JSON)
	}
	return r
}

// send returns the status and the body of the answer.
func send(tb testing.TB, c *http.Client, r *http.Request) (int, string) {
	tb.Helper()
	answer, err := c.Do(r)
	require.NoError(tb, err)
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(answer.Body)
	require.NoError(tb, err)
	return answer.StatusCode, string(data)
}

// eventually waits for a condition.
func eventually(tb testing.TB, what string, condition func() bool) {
	tb.Helper()
	require.Eventually(tb, condition, patience, 20*time.Millisecond, what)
}

// hello answers with a word.
func hello() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			httpguard.WriteError(w, err)
			return
		}
		_, _ = io.Copy(w, strings.NewReader("hello"))
	})
}
