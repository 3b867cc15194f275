package httpguard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// An Error is an answer that says what is wrong, and what to do.
type Error struct {
	// Status is the HTTP status. 0: 500.
	Status int
	// Text says what is wrong.
	Text string
	// Code says it for programs. "": a word for the status.
	Code string
	// Hint says what to do about it. It may be empty.
	Hint string
	// RetryAfter is when to try again. 0: that is not said.
	RetryAfter time.Duration
}

// Error returns the text and the hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Text
	}
	return e.Text + "; " + e.Hint
}

func fail(status int, text, hint string) *Error {
	return (&Error{Status: status, Text: text, Hint: hint}).complete()
}

// WriteError answers with err as JSON, {"error": Text, "code": Code, "hint": Hint}; a
// RetryAfter is in "retryAfterSeconds" and, rounded up, in the header. An [*Error] is
// answered as it says, an [*http.MaxBytesError] with 413, and anything else with 500
// and no more detail than that, for it may be what the caller should not see. Call
// it before anything was written.
func WriteError(w http.ResponseWriter, err error) {
	e := asError(err)
	h := w.Header()
	h["Content-Type"] = []string{"application/json"}
	if e.Status == http.StatusUnauthorized {
		h["Www-Authenticate"] = []string{`Bearer realm="daggy"`}
	}
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	body, err := json.Marshal(struct {
		Error      string  `json:"error"`
		Code       string  `json:"code"`
		Hint       string  `json:"hint,omitempty"`
		RetryAfter float64 `json:"retryAfterSeconds,omitempty"`
	}{e.Text, e.Code, e.Hint, e.RetryAfter.Seconds()})
	if err != nil {
		// Strings always marshal.
		panic(fmt.Sprintf("httpguard: %v", err))
	}
	body = append(body, '\n')
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	_, _ = w.Write(body) // if nobody listens any more, there is nobody to tell
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e.complete()
	}
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return tooLong(long.Limit)
	}
	return fail(http.StatusInternalServerError, "internal error", "the daemon's log says more")
}

// codes are words for statuses.
var codes = map[int]string{
	http.StatusBadRequest:            "malformed",
	http.StatusUnauthorized:          "auth",
	http.StatusForbidden:             "auth",
	http.StatusNotFound:              "notFound",
	http.StatusMethodNotAllowed:      "method",
	http.StatusRequestEntityTooLarge: "tooLarge",
	http.StatusUnsupportedMediaType:  "type",
	http.StatusMisdirectedRequest:    "host",
	http.StatusInternalServerError:   "internal",
}

func (e *Error) complete() *Error {
	with := *e
	if with.Status == 0 {
		with.Status = http.StatusInternalServerError
	}
	if with.Code == "" {
		with.Code = codes[with.Status]
	}
	return &with
}

func tooLong(limit int64) *Error {
	return fail(http.StatusRequestEntityTooLarge,
		fmt.Sprintf("the body is longer than %d bytes", limit), "send less at a time")
}
