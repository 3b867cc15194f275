package httpguard

import (
	"io"
	"net/http"
)

// An exchange is what handlers write to. Until the mux has found a route of the
// guard, what is written is the mux's own answer, in plain text: of that only the
// status and the headers are kept.
type exchange struct {
	w      http.ResponseWriter
	found  bool // a route was found; w is the handler's
	wrote  bool // the handler has begun to answer
	status int  // of the mux's own answer
	header http.Header
}

// Header returns what the headers are written to.
func (x *exchange) Header() http.Header {
	if x.found {
		return x.w.Header()
	}
	if x.header == nil {
		x.header = http.Header{}
	}
	return x.header
}

// WriteHeader begins the answer.
func (x *exchange) WriteHeader(status int) {
	if !x.found {
		x.status = status
		return
	}
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		x.wrote = true
	}
	x.w.WriteHeader(status)
}

// Write goes on with the answer.
func (x *exchange) Write(p []byte) (int, error) {
	if !x.found {
		return len(p), nil
	}
	x.wrote = true
	return x.w.Write(p)
}

// ReadFrom lets io.Copy send files without copying them.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	if !x.found {
		return io.Copy(io.Discard, r)
	}
	x.wrote = true
	return io.Copy(x.w, r)
}

// FlushError is for [http.ResponseController].
func (x *exchange) FlushError() error {
	x.wrote = true
	return http.NewResponseController(x.w).Flush()
}

// Unwrap is for [http.ResponseController].
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }
