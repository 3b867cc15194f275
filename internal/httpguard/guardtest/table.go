package guardtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/daggy-go/daggy/internal/httpguard"
)

// Config is a daemon to be checked.
type Config struct {
	// Handler is the whole daemon, with the guard inside.
	Handler http.Handler
	// Routes are all of its routes, as [httpguard.Guard.Routes] returns them.
	Routes []httpguard.Route
	// Tokens has a token that is valid for the daemon for each of the roles Read,
	// Submit and Admin, such as [Tokens] with [TokenFile].
	Tokens map[httpguard.Role]string
}

// Tokens are tokens for tests, one for each role.
func Tokens() map[httpguard.Role]string {
	return map[httpguard.Role]string{
		httpguard.Read:   "read-only-token-of-a-test",
		httpguard.Submit: "submitting-token-of-a-test",
		httpguard.Admin:  "administering-token-of-a-test",
	}
}

// TokenFile writes a token file with these tokens.
func TokenFile(tb testing.TB, tokens map[httpguard.Role]string) string {
	tb.Helper()
	var b strings.Builder
	for role, token := range tokens {
		fmt.Fprintf(&b, "%v %s\n", role, token)
	}
	path := filepath.Join(tb.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		tb.Fatalf("write a token file: %v", err)
	}
	return path
}

// Run checks all routes and logs the table.
func Run(tb testing.TB, c Config) {
	tb.Helper()
	if len(c.Routes) == 0 {
		tb.Errorf("there are no routes to check")
	}
	for _, role := range []httpguard.Role{httpguard.Read, httpguard.Submit, httpguard.Admin} {
		if c.Tokens[role] == "" {
			tb.Errorf("there is no token with the role %v to check with", role)
		}
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprint(table, "route\trole")
	for _, a := range attacks {
		_, _ = fmt.Fprint(table, "\t", a.name)
	}
	for _, route := range c.Routes {
		_, _ = fmt.Fprintf(table, "\n%s\t%v", route.Pattern, route.Role)
		for _, a := range attacks {
			_, _ = fmt.Fprint(table, "\t", c.attack(tb, route, a))
		}
	}
	_ = table.Flush() // to a string
	tb.Logf("every route and what it answers:\n%s", text.String())
}

// attack returns the cell of the table.
func (c Config) attack(tb testing.TB, route httpguard.Route, a attack) string {
	tb.Helper()
	want := a.want
	if route.Role == httpguard.Public {
		want = a.public
	}
	if want == 0 {
		return "-"
	}
	var got []string
	for _, r := range a.requests(c, route) {
		status := c.send(tb, route.Pattern+", "+a.name, r, want)
		if one := fmt.Sprint(status); len(got) == 0 || got[len(got)-1] != one {
			got = append(got, one)
		}
	}
	if len(got) == 0 {
		return "-"
	}
	return strings.Join(got, "/")
}

// send checks the answer to one request.
func (c Config) send(tb testing.TB, what string, r *http.Request, want int) int {
	tb.Helper()
	unread := &unread{}
	if r.ContentLength != 0 {
		r.Body = unread
	}
	// A handler that was reached must not keep the test.
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	w := httptest.NewRecorder()
	c.Handler.ServeHTTP(w, r.WithContext(ctx))
	if w.Code != want {
		tb.Errorf("%s: %s %s is answered with %d, want %d: %s",
			what, r.Method, r.URL.Path, w.Code, want, w.Body)
	}
	if unread.read.Load() {
		tb.Errorf("%s: %s %s: the body was read", what, r.Method, r.URL.Path)
	}
	if err := checkAnswer(w, c.Tokens); err != nil {
		tb.Errorf("%s: %s %s: %v", what, r.Method, r.URL.Path, err)
	}
	return w.Code
}

func checkAnswer(w *httptest.ResponseRecorder, tokens map[httpguard.Role]string) error {
	for name := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			return fmt.Errorf("there is a header %s", name)
		}
	}
	if got := w.Header().Get("X-Content-Type-Options"); got != "nosniff" {
		return fmt.Errorf("X-Content-Type-Options is %q", got)
	}
	if w.Header().Get("Content-Security-Policy") == "" {
		return errors.New("there is no Content-Security-Policy")
	}
	if w.Code == http.StatusUnauthorized && w.Header().Get("Www-Authenticate") == "" {
		return errors.New("401 without WWW-Authenticate")
	}
	for _, token := range tokens {
		if strings.Contains(w.Body.String(), token) {
			return errors.New("there is a token in the answer")
		}
	}
	var answer struct {
		Error string `json:"error"`
		Code  string `json:"code"`
		Hint  string `json:"hint"`
	}
	d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
	d.DisallowUnknownFields()
	if err := d.Decode(&answer); err != nil || answer.Error == "" || answer.Code == "" {
		return fmt.Errorf("want a JSON object with an error and a code, got %q", w.Body)
	}
	return nil
}

// An unread body tells when it is read.
type unread struct{ read atomic.Bool }

func (u *unread) Read([]byte) (int, error) {
	u.read.Store(true)
	return 0, io.ErrUnexpectedEOF
}

func (u *unread) Close() error { return nil }

var wildcard = regexp.MustCompile(`\{[^}]*\}`)

// request is one that gets through.
func (c Config) request(route httpguard.Route) *http.Request {
	method, path, _ := strings.Cut(route.Pattern, " ")
	path = wildcard.ReplaceAllStringFunc(path, func(name string) string {
		if name == "{$}" {
			return ""
		}
		return "x"
	})
	r := httptest.NewRequest(method, path, http.NoBody)
	r.Host, r.RemoteAddr = "localhost:2504", "127.0.0.1:40000"
	if route.Role != httpguard.Public {
		authorize(r, c.Tokens[route.Role])
	}
	return r
}

func authorize(r *http.Request, token string) {
	r.Header.Set("Authorization", "Bearer "+token)
}
