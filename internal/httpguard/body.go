package httpguard

import (
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// DefaultMaxBody is the limit for the body of a request, in bytes, for routes that
// do not say another.
const DefaultMaxBody = 8 << 20

// BodyPatience is how long reading from the body of a request waits for more of
// it.
const BodyPatience = 30 * time.Second

const (
	// JSON is what the bodies of requests are.
	JSON = "application/json"
	// NDJSON is JSON values on lines of their own.
	NDJSON = "application/x-ndjson"
)

// LeaveBody is called before an answer that does not depend on the body of a request,
// which is not read then: the answer does not wait for it, and the connection is not
// used again.
func LeaveBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	w.Header().Set("Connection", "close")
	// The server would wait for the rest, for ever.
	_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
}

// checkBody refuses bodies by their headers.
func (rt *route) checkBody(r *http.Request) *Error {
	if codings := r.Header["Content-Encoding"]; len(codings) > 0 &&
		!strings.EqualFold(strings.Join(codings, ","), "identity") {
		return fail(http.StatusUnsupportedMediaType, "the body has a Content-Encoding",
			"send it as it is, without compressing it")
	}
	if r.ContentLength == 0 {
		return nil
	}
	if !slices.Contains(rt.Types, mediaType(r.Header["Content-Type"])) {
		return fail(http.StatusUnsupportedMediaType,
			"the body has another Content-Type than this route takes",
			rt.typeHint())
	}
	if r.ContentLength > rt.MaxBody && !rt.Stream {
		return tooLong(rt.MaxBody)
	}
	return nil
}

func (rt *route) typeHint() string {
	if len(rt.Types) == 0 {
		return "send none, this route takes no body"
	}
	return "send it with Content-Type: " + strings.Join(rt.Types, " or ")
}

// mediaType returns the type of a body, "" if that is not clear.
func mediaType(headers []string) string {
	if len(headers) != 1 {
		return ""
	}
	if headers[0] == JSON || headers[0] == NDJSON {
		return headers[0]
	}
	media, params, err := mime.ParseMediaType(headers[0])
	if err != nil {
		return ""
	}
	for name, value := range params {
		if name != "charset" || !strings.EqualFold(value, "utf-8") {
			return ""
		}
	}
	return media
}

// A body is that of a request: no longer than its limit, and no slower than its
// patience. The deadline is that of the connection; the server takes it away at the
// end of the body, and sets others for the next request.
type body struct {
	io.ReadCloser
	deadline func(time.Time) error
	limit    int64
	left     int64
	set      time.Time // when the deadline was set
	err      error     // what Read returns from now on
}

func newBody(r io.ReadCloser, limit int64, c *http.ResponseController) *body {
	b := &body{ReadCloser: r, deadline: c.SetReadDeadline, limit: limit, left: limit}
	// Also for what the handler leaves unread, which the server reads.
	b.wait(time.Now())
	return b
}

func (b *body) wait(now time.Time) {
	// What takes no deadlines is not a connection, but a test.
	_ = b.deadline(now.Add(BodyPatience))
	b.set = now
}

// Read reads from the body.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more tells a body that is too long
	}
	if now := time.Now(); now.Sub(b.set) > time.Second {
		b.wait(now)
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), &http.MaxBytesError{Limit: b.limit}
	}
	b.left -= int64(n)
	b.err = err
	return n, err
}
