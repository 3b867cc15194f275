package agent

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
	"github.com/daggy-go/daggy/internal/httpguard"
)

var (
	typeJSON   = []string{httpguard.JSON}
	typeNDJSON = []string{httpguard.NDJSON}
)

// answerBytes answers with JSON that is there already.
func answerBytes(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = w.Write(body) // if nobody listens any more, there is nobody to tell
}

func answerJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		httpguard.WriteError(w, err) // never: these bodies are plain
		return
	}
	answerBytes(w, status, append(data, '\n'))
}

func answerProblem(w http.ResponseWriter, v verdict) {
	if v.problem.RetryAfter > 0 {
		after := v.problem.Retry()
		seconds := int64((after + time.Second - 1) / time.Second)
		w.Header()["Retry-After"] = []string{strconv.FormatInt(seconds, 10)}
	}
	answerJSON(w, v.status, v.problem)
}

// answerUnlooked is answerProblem where nothing of the body has been looked at.
func answerUnlooked(w http.ResponseWriter, r *http.Request, v verdict) {
	httpguard.LeaveBody(w, r)
	answerProblem(w, v)
}

func answerState(w http.ResponseWriter, status int, st *wire.State) {
	answerBytes(w, status, append(st.Append(make([]byte, 0, 256)), '\n'))
}

// keyOf returns the key in the path. If that is none, the request is answered and ok
// is false.
func keyOf(w http.ResponseWriter, r *http.Request) (key string, ok bool) {
	key = r.PathValue("key")
	if err := wire.CheckKey(key); err != nil {
		answerProblem(w, refused(http.StatusUnprocessableEntity, wire.CodeInvalid, err.Error()))
		return "", false
	}
	return key, true
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostKept is the largest buffer that is kept for others.
const mostKept = 64 << 10

// readBody reads the body into a buffer, which release gives back.
func readBody(r *http.Request) (body []byte, release func(), err error) {
	buf := buffers.Get().(*[]byte)
	release = func() {
		if cap(*buf) <= mostKept {
			buffers.Put(buf)
		}
	}
	b := (*buf)[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, make([]byte, 512)...)[:len(b)]
		}
		n, err := r.Body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*buf = b
		switch {
		case errors.Is(err, io.EOF):
			return b, release, nil
		case err != nil:
			release()
			return nil, nil, err
		}
	}
}

// answerUnread answers for a body that could not be read.
func answerUnread(w http.ResponseWriter, err error) {
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		answerProblem(w, refused(http.StatusRequestEntityTooLarge, wire.CodeTooLarge, err.Error()))
		return
	}
	answerProblem(w, refused(http.StatusBadRequest, wire.CodeMalformed,
		"the body could not be read to its end"))
}

func malformed(err error) verdict {
	return refused(http.StatusBadRequest, wire.CodeMalformed, err.Error())
}

// wish reads ?wait=30s. It is bounded.
func wish(r *http.Request) (time.Duration, error) {
	const most = time.Minute
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errWait
	}
	return min(d, most), nil
}

var errWait = errors.New(`wait: this must be a duration such as "30s"`)
