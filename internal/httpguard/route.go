package httpguard

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// A route is a [Route] with its defaults.
type route struct {
	Route
	guard *Guard
}

// ServeHTTP is called by the mux, with an exchange.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x, ok := w.(*exchange)
	if !ok {
		panic("httpguard: a route outside of its guard")
	}
	x.found = true
	err := rt.guard.admit(r, rt.Role)
	if err == nil {
		err = rt.checkBody(r)
	}
	if err != nil {
		rt.guard.refuse(x.w, r, rt.Pattern, err)
		return
	}
	if r.ContentLength != 0 {
		control := http.NewResponseController(x.w)
		if rt.Stream {
			// The server reads what the handler leaves unread, for a while.
			defer func() { _ = control.SetReadDeadline(time.Now().Add(BodyPatience)) }()
		} else {
			r.Body = newBody(r.Body, rt.MaxBody, control)
		}
	}
	defer rt.recover(x)
	rt.Handler.ServeHTTP(x, r)
}

// recover answers for a handler that panicked.
func (rt *route) recover(x *exchange) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
		panic(p)
	}
	rt.guard.log.Error("a handler panicked", slog.String("route", rt.Pattern),
		slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	if x.wrote {
		// So that the client does not take what there is for the whole.
		panic(http.ErrAbortHandler)
	}
	WriteError(x.w, fail(http.StatusInternalServerError, "internal error",
		"the daemon's log says more"))
}
