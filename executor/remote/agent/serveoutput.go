package agent

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// serveOutput answers GET /api/v1/task/{key}/stdout, or stderr.
func (a *Agent) serveOutput(stream int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		key, ok := keyOf(w, r)
		if !ok {
			return
		}
		first, last, err := parseRange(r.Header.Get("Range"))
		if err {
			answerProblem(w, refused(http.StatusRequestedRangeNotSatisfiable, wire.CodeRange,
				"Range: this must be bytes=N- or bytes=N-M"))
			return
		}
		a.mu.Lock()
		st, known := a.known(key)
		var out *output
		if at := a.attempts[key]; at != nil && at.outputs != nil {
			out = &at.outputs[stream]
		}
		a.mu.Unlock()
		switch {
		case !known:
			answerProblem(w, refused(http.StatusNotFound, wire.CodeNotFound,
				"the key was never seen"))
		case st.State == wire.Closed, st.Outcome != nil && st.Outcome.Gone:
			answerProblem(w, refused(http.StatusGone, wire.CodeClosed, "the output is not kept"))
		default:
			a.sendOutput(w, out, first, last)
		}
	}
}

// parseRange reads bytes=N- and bytes=N-M. last is -1 if it is not there, and first if
// there is no range at all.
func parseRange(header string) (first, last int64, bad bool) {
	if header == "" {
		return -1, -1, false
	}
	text, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(text, "-")
	n, err := strconv.ParseUint(from, 10, 63)
	if !ok || !dash || err != nil {
		return 0, 0, true
	}
	if to == "" {
		return int64(n), -1, false
	}
	m, err := strconv.ParseUint(to, 10, 63)
	if err != nil || m < n {
		return 0, 0, true
	}
	return int64(n), int64(m), false
}

// sendOutput sends a part of an output. One that is nil is empty.
func (a *Agent) sendOutput(w http.ResponseWriter, out *output, first, last int64) {
	from, size, done := io.ReaderAt(bytes.NewReader(nil)), int64(0), func() error { return nil }
	if out != nil {
		var err error
		if from, size, done, err = out.open(); err != nil {
			answerProblem(w, refused(http.StatusGone, wire.CodeClosed, "the output is not kept"))
			return
		}
	}
	defer done() //nolint:errcheck // it was only read
	h := w.Header()
	if first >= size {
		h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(size, 10)}
		answerProblem(w, refused(http.StatusRequestedRangeNotSatisfiable, wire.CodeRange,
			"there is no more output yet"))
		return
	}
	status, end := http.StatusOK, size
	if first >= 0 {
		status = http.StatusPartialContent
		if last >= 0 {
			end = min(last, size-1) + 1
		}
		h["Content-Range"] = []string{"bytes " + strconv.FormatInt(first, 10) + "-" +
			strconv.FormatInt(end-1, 10) + "/" + strconv.FormatInt(size, 10)}
	}
	first = max(first, 0)
	h["Content-Type"] = []string{"application/octet-stream"}
	h["Content-Length"] = []string{strconv.FormatInt(end-first, 10)}
	w.WriteHeader(status)
	rc := http.NewResponseController(w)
	for ; first < end; first += outputPart {
		patiently(rc)
		part := io.NewSectionReader(from, first, min(end-first, outputPart))
		if n, err := io.Copy(w, part); err != nil || n < part.Size() {
			return // it is the client's, or shows in the length
		}
	}
}

// outputPart is what is written of an output within [writePatience].
const outputPart = 256 << 10
