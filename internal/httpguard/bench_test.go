package httpguard_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// BenchmarkGuard measures what the guard adds to a request beside the mux alone.
// No connection is in it.
func BenchmarkGuard(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	bare := http.NewServeMux()
	for _, r := range routes() {
		bare.Handle(r.Pattern, h)
	}
	for _, bc := range []struct {
		name, method, path, body string
	}{
		{"GET", http.MethodGet, "/api/v1/task/x", ""},
		{"PUT", http.MethodPut, "/api/v1/task/x", `{"job":{"command":["true"]}}`},
	} {
		for name, handler := range map[string]http.Handler{
			"guard": guard(b, io.Discard, h), "mux": bare,
		} {
			b.Run("request="+bc.name+"/through="+name, func(b *testing.B) {
				r := httptest.NewRequest(bc.method, "http://localhost:2504"+bc.path, http.NoBody)
				r.Header.Set("Authorization", "Bearer "+guardtest.Tokens()[httpguard.Submit])
				r.Header.Set("Content-Type", httpguard.JSON)
				r.ContentLength = int64(len(bc.body))
				w := &discarding{header: http.Header{}}
				b.ReportAllocs()
				for b.Loop() {
					r.Body = io.NopCloser(strings.NewReader(bc.body))
					clear(w.header)
					handler.ServeHTTP(w, r)
				}
			})
		}
	}
}

type discarding struct{ header http.Header }

func (d *discarding) Header() http.Header         { return d.header }
func (d *discarding) WriteHeader(int)             {}
func (d *discarding) Write(p []byte) (int, error) { return len(p), nil }
