package httpguard

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
)

// Config says what a guard lets through.
type Config struct {
	// Auth says who may call. The zero Auth is nobody.
	Auth Auth
	// Hosts are names and addresses that callers use for this daemon, without
	// ports. Those of this machine for itself (localhost, 127.0.0.1, ::1) are
	// always allowed, and so is the address that a connection came in on.
	Hosts []string
	// Logger gets refusals, panics and trouble with files. Nil: discard.
	Logger *slog.Logger
}

// A Route is a handler and what it takes to get to it.
type Route struct {
	// Pattern is that of [http.ServeMux], with one method and without a host:
	// "PUT /api/v1/task/{key}". GET includes HEAD.
	Pattern string
	// Role is what a caller needs at least. There is no default.
	Role Role
	// MaxBody is the limit for the body of a request, in bytes. 0:
	// [DefaultMaxBody]. Negative: there is no body.
	MaxBody int64
	// Types are the content types that a body may have. Nil: [JSON]. Empty, but not
	// nil: there is no body.
	Types []string
	// Stream: the body goes on for as long as the caller likes. MaxBody and
	// [BodyPatience] are not for it; the handler limits what it keeps of the body and
	// how long it waits for more, by [http.ResponseController.SetReadDeadline].
	Stream bool
	// Handler gets the requests that are let through.
	Handler http.Handler
}

// A Guard is the handler before all other handlers. Make it with [New], then give
// it its routes, then serve. It is safe for concurrent use once it serves.
type Guard struct {
	keeper  *gatekeeper
	hosts   hosts
	origins *http.CrossOriginProtection
	mux     *http.ServeMux
	routes  []Route
	log     *slog.Logger
	refused *sparing
}

// New returns a guard without routes. The error names everything that is wrong
// with c, the token file included.
func New(c Config) (*Guard, error) {
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	keeper, err := newGatekeeper(c.Auth, log)
	if bad := checkHosts(c.Hosts); bad != nil {
		var errs *multierror.Error
		err = multierror.Append(errs, bad, err).ErrorOrNil()
	}
	if err != nil {
		return nil, err
	}
	return &Guard{
		keeper:  keeper,
		hosts:   newHosts(c.Hosts),
		origins: http.NewCrossOriginProtection(),
		mux:     http.NewServeMux(),
		log:     log,
		refused: &sparing{log: log, rest: time.Second},
	}, nil
}

// Reload reads the token file now. Without it, a change is seen within a second
// by the next caller. With an error the tokens from before stay valid.
func (g *Guard) Reload() error {
	if g.keeper.tokens == nil {
		return nil
	}
	return g.keeper.tokens.reload()
}

// Handle adds a route. It panics if the route has no method, no role or no handler,
// or clashes with another one.
func (g *Guard) Handle(r Route) {
	method, rest, ok := strings.Cut(r.Pattern, " ")
	if !ok || method == "" || !strings.HasPrefix(rest, "/") {
		panic(fmt.Sprintf("httpguard: route %q: want a method and a path", r.Pattern))
	}
	if r.Role <= nobody || r.Role > Admin {
		panic(fmt.Sprintf("httpguard: route %q has no role", r.Pattern))
	}
	if r.Handler == nil {
		panic(fmt.Sprintf("httpguard: route %q has no handler", r.Pattern))
	}
	if r.MaxBody == 0 {
		r.MaxBody = DefaultMaxBody
	}
	r.MaxBody = max(r.MaxBody, 0)
	if r.Types == nil {
		r.Types = []string{JSON}
	}
	r.Types = slices.Clone(r.Types)
	g.mux.Handle(r.Pattern, &route{r, g})
	g.routes = append(g.routes, r)
}

// Routes returns the routes in the order in which they were added, with their defaults:
// a MaxBody of 0 is that of a route without a body.
func (g *Guard) Routes() []Route { return slices.Clone(g.routes) }

// The headers of every answer. A handler that serves pages sets its own policy.
var (
	noSniff   = []string{"nosniff"}
	noContent = []string{"default-src 'none'; frame-ancestors 'none'; sandbox"}
	noStore   = []string{"no-store"}
	sameSite  = []string{"same-origin"}
)

// ServeHTTP lets r through to its handler, or says why not.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = noContent
	h["Cache-Control"] = noStore
	h["Cross-Origin-Resource-Policy"] = sameSite
	if !g.hosts.allow(r) {
		g.refuse(w, r, "", fail(http.StatusMisdirectedRequest,
			"the Host header is none of this daemon's names",
			"call it by its address, or add the name to those that its configuration allows"))
		return
	}
	x := &exchange{w: w}
	g.mux.ServeHTTP(x, r)
	if !x.found {
		g.unknown(w, r, x)
	}
}

// unknown answers in place of the mux.
func (g *Guard) unknown(w http.ResponseWriter, r *http.Request, x *exchange) {
	err := g.admit(r, Read) // whoever is known may know what there is not
	switch {
	case err != nil:
	case x.status == http.StatusMethodNotAllowed:
		allow := x.header.Get("Allow")
		w.Header().Set("Allow", allow)
		err = fail(x.status, "this path does not take the method", "it takes "+allow)
	default:
		err = fail(http.StatusNotFound, "there is nothing at this path",
			"paths are taken as they are: no slash more or less, and no .. in them")
	}
	g.refuse(w, r, "", err)
}

// admit judges a request by everything but its body.
func (g *Guard) admit(r *http.Request, need Role) *Error {
	if err := g.crossOrigin(r, need); err != nil {
		return err
	}
	if err := tokenInURL(r.URL); err != nil {
		return err
	}
	if need == Public {
		return nil
	}
	has, err := g.keeper.role(r)
	if err != nil {
		return err
	}
	if has < need {
		return fail(http.StatusForbidden,
			fmt.Sprintf("this needs the role %v, the caller has the role %v", need, has),
			"use a token or a certificate with the role "+need.String())
	}
	return nil
}

// crossOrigin refuses what a browser sends in the name of a page of another site.
// Reading is refused as well: with [Auth].InsecureLoopback there is nothing else
// that would keep such a page from it. Only following a link to a public page is
// what links are for.
func (g *Guard) crossOrigin(r *http.Request, need Role) *Error {
	if len(r.Header["Sec-Fetch-Site"]) == 0 && len(r.Header["Origin"]) == 0 {
		return nil // not a browser, or one of before 2023 that reads
	}
	if need == Public && r.Method == http.MethodGet &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" {
		return nil
	}
	// As if it changed something: the check lets all reading through.
	as := http.Request{Method: http.MethodPost, Host: r.Host, URL: r.URL, Header: r.Header}
	if g.origins.Check(&as) == nil {
		return nil
	}
	err := fail(http.StatusForbidden, "a browser sends this for a page of another site",
		"open the daemon's own pages, or call it from a program")
	err.Code = "origin"
	return err
}

// tokenInURL refuses tokens where servers, proxies and browsers write them down.
func tokenInURL(u *url.URL) *Error {
	if u.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fail(http.StatusBadRequest, "the query of the URL is malformed", "")
	}
	for name := range query {
		switch strings.ToLower(name) {
		case "token", "access_token", "auth", "authorization":
			return fail(http.StatusBadRequest, "there is a token in the URL",
				"URLs get into logs: replace the token, and send it in the header "+
					"Authorization: Bearer TOKEN")
		}
	}
	return nil
}

// refuse answers a request that was not let through.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, pattern string, e *Error) {
	g.refused.say(r, pattern, e)
	LeaveBody(w, r)
	WriteError(w, e)
}
