package guardtest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// A recorder is a testing.TB that keeps failures to itself.
type recorder struct {
	testing.TB // for all that is no failure

	failures []string
	logs     []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

// check runs the checks on a guard that change may break.
func check(tb testing.TB, change func(http.Handler) http.Handler) *recorder {
	tb.Helper()
	g, err := httpguard.New(httpguard.Config{
		Auth: httpguard.Auth{TokenFile: guardtest.TokenFile(tb, guardtest.Tokens())},
	})
	require.NoError(tb, err)
	for _, r := range []httpguard.Route{
		{Pattern: "GET /page", Role: httpguard.Public},
		{Pattern: "GET /things/{name}", Role: httpguard.Read},
		{Pattern: "PUT /things/{name}", Role: httpguard.Submit, MaxBody: 10},
		{Pattern: "POST /stop", Role: httpguard.Admin},
	} {
		r.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "{}")
		})
		g.Handle(r)
	}
	r := &recorder{TB: tb}
	guardtest.Run(r, guardtest.Config{
		Handler: change(g), Routes: g.Routes(), Tokens: guardtest.Tokens(),
	})
	return r
}

func TestGuardPasses(t *testing.T) {
	t.Parallel()
	r := check(t, func(h http.Handler) http.Handler { return h })
	require.Empty(t, r.failures)
	require.Len(t, r.logs, 1)
	require.Contains(t, r.logs[0], "PUT /things/{name}  submit  401")
}

// Each of these takes something away from the guard, which must be noticed.
func TestBrokenGuardsFail(t *testing.T) {
	t.Parallel()
	before := func(f func(r *http.Request)) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = r.Clone(r.Context())
				f(r)
				h.ServeHTTP(w, r)
			})
		}
	}
	after := func(f func(w *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
		return func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				h.ServeHTTP(answer, r)
				f(answer)
				for name, values := range answer.Header() {
					w.Header()[name] = values
				}
				w.WriteHeader(answer.Code)
				_, _ = w.Write(answer.Body.Bytes())
			})
		}
	}
	admin := "Bearer " + guardtest.Tokens()[httpguard.Admin]
	for _, tc := range []struct {
		name   string
		change func(http.Handler) http.Handler
		column string // that fails first
	}{
		{"everybody is an admin", before(func(r *http.Request) {
			r.Header["Authorization"] = []string{admin}
		}), "no token"},
		{"every token is an admin's", before(func(r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				r.Header["Authorization"] = []string{admin}
			}
		}), "wrong token"},
		{"one valid header of several", before(func(r *http.Request) {
			r.Header.Set("Authorization", r.Header.Get("Authorization"))
		}), "nothing"},
		{"readers submit", before(func(r *http.Request) {
			reader := "Bearer " + guardtest.Tokens()[httpguard.Read]
			if slices.Equal(r.Header["Authorization"], []string{reader}) {
				r.Header["Authorization"] = []string{admin}
			}
		}), "lower role"},
		{"tokens in URLs", before(func(r *http.Request) { r.URL.RawQuery = "" }), "token in URL"},
		{"any site", before(func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
		}), "cross-site"},
		{"DELETE of any site", before(func(r *http.Request) {
			if r.Method == http.MethodDelete {
				r.Header.Del("Sec-Fetch-Site")
			}
		}), "cross-site"},
		{"any origin", before(func(r *http.Request) { r.Header.Del("Origin") }), "other origin"},
		{"any host", before(func(r *http.Request) { r.Host = "localhost" }), "wrong host"},
		{"a dot at the end", before(func(r *http.Request) {
			r.Host = strings.TrimSuffix(r.Host, ".")
		}), "wrong host"},
		{"any type", before(func(r *http.Request) {
			r.Header.Set("Content-Type", httpguard.JSON)
		}), "text/plain"},
		{"a type is not needed", before(func(r *http.Request) {
			if r.Header.Get("Content-Type") == "" {
				r.Header.Set("Content-Type", httpguard.JSON)
			}
		}), "no type"},
		{"any coding", before(func(r *http.Request) {
			r.Header.Del("Content-Encoding")
		}), "gzip"},
		{"any length", before(func(r *http.Request) {
			r.ContentLength = min(r.ContentLength, 10)
		}), "oversized"},
		{"methods are tunneled", before(func(r *http.Request) {
			if r.Method == "MADEUP" {
				r.Method = http.MethodGet
			}
		}), "other method"},
		{"paths are cleaned", before(func(r *http.Request) {
			r.URL.Path = strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/x/.."), "//")
			if !strings.HasPrefix(r.URL.Path, "/") {
				r.URL.Path = "/" + r.URL.Path
			}
		}), "unknown path"},
		{"the body is read first", before(func(r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		}), "text/plain"},
		{"answers are text", after(func(w *httptest.ResponseRecorder) {
			w.Body.Reset()
			w.Body.WriteString("no\n")
		}), "no token"},
		{"answers may be scripts", after(func(w *httptest.ResponseRecorder) {
			w.Header().Del("X-Content-Type-Options")
		}), "no token"},
		{"pages may have scripts", after(func(w *httptest.ResponseRecorder) {
			w.Header().Del("Content-Security-Policy")
		}), "no token"},
		{"others may read", after(func(w *httptest.ResponseRecorder) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
		}), "no token"},
		{"what to send is not said", after(func(w *httptest.ResponseRecorder) {
			w.Header().Del("WWW-Authenticate")
		}), "no token"},
		{"tokens are repeated", after(func(w *httptest.ResponseRecorder) {
			w.Body.Reset()
			_, _ = fmt.Fprintf(w.Body, `{"error":"not %s"}`, admin)
		}), "no token"},
		{"everything is fine", func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		}, "no token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := check(t, tc.change)
			require.NotEmpty(t, r.failures)
			first := r.failures[0]
			for _, f := range r.failures {
				if !strings.HasPrefix(f, "GET /page") {
					first = f // the page needs no token
					break
				}
			}
			require.Contains(t, first, ", "+tc.column+": ")
		})
	}
}

func TestNothingToCheckFails(t *testing.T) {
	t.Parallel()
	r := &recorder{TB: t}
	guardtest.Run(r, guardtest.Config{Handler: http.NotFoundHandler()})
	require.Len(t, r.failures, 4)
}
