package guardtest

import (
	"net/http"
	"strings"

	"github.com/daggy-go/daggy/internal/httpguard"
)

// An attack is a column of the table.
type attack struct {
	name string
	want int
	// public is what a public route answers. 0: it is not attacked this way.
	public   int
	requests func(c Config, route httpguard.Route) []*http.Request
}

var attacks = []attack{
	{"no token", 401, 0, each("", func(r *http.Request) { r.Header.Del("Authorization") })},
	{"wrong token", 401, 0, each("", func(r *http.Request) {
		authorize(r, "wrong-but-long-enough-token")
	})},
	{"nothing", 401, 0, each("", func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer nothing")
	}, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer ")
	}, func(r *http.Request) {
		r.Header.Set("Authorization", "Basic bm90aGluZzo=")
	}, func(r *http.Request) {
		r.Header.Add("Authorization", r.Header.Get("Authorization"))
	})},
	{"lower role", 403, 0, lowerRoles},
	{"token in URL", 400, 400, each("", func(r *http.Request) {
		r.URL.RawQuery = "token=wrong-but-long-enough-token"
	}, func(r *http.Request) {
		r.URL.RawQuery = "a=b&%61ccess_token=x"
	}, func(r *http.Request) {
		r.URL.RawQuery = "a=b;token=x" // not a query, but a server before may think so
	})},
	{"cross-site", 403, 403, anyMethod(func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	}, func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "same-site")
	})},
	{"a site's form", 403, 403, each("", func(r *http.Request) {
		r.Method = http.MethodPost
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	})},
	{"other origin", 403, 403, anyMethod(func(r *http.Request) {
		r.Header.Set("Origin", "http://evil.example")
	}, func(r *http.Request) {
		r.Header.Set("Origin", "null")
	}, func(r *http.Request) {
		r.Header.Set("Origin", "http://localhost:8080") // another port is another site
	})},
	{"wrong host", 421, 421, each("", host("evil.example"), host("evil.example:2504"),
		host("localhost."), host("localhost.evil.example"), host(""), host("127.0.0.1:x"),
		host("[::1"), host("10.0.0.1"), host("::1"))},
	{"text/plain", 415, 415, each("text/plain", nothing)},
	{"no type", 415, 415, each("", body)},
	{"a form", 415, 415, each("application/x-www-form-urlencoded", nothing)},
	{"gzip", 415, 415, each(httpguard.JSON, func(r *http.Request) {
		r.Header.Set("Content-Encoding", "gzip")
	})},
	{"oversized", 413, 413, oversized},
	{"other method", 405, 405, otherMethods},
	{"unknown path", 404, 404, each("", func(r *http.Request) {
		r.URL.Path += "/no/such/path"
	}, func(r *http.Request) {
		r.URL.Path = "/" + r.URL.Path
	}, func(r *http.Request) {
		r.URL.Path = "/x/.." + r.URL.Path
	})},
}

// methods are more than there are.
var methods = []string{
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "MADEUP",
}

func nothing(*http.Request) {}

func body(r *http.Request) { r.ContentLength = 2 }

func host(name string) func(*http.Request) {
	return func(r *http.Request) { r.Host = name }
}

// each makes one request of each change, with a body if it has a content type.
func each(contentType string, changes ...func(*http.Request)) func(
	Config, httpguard.Route) []*http.Request {
	return func(c Config, route httpguard.Route) []*http.Request {
		var all []*http.Request
		for _, change := range changes {
			r := c.request(route)
			if contentType != "" {
				body(r)
				r.Header.Set("Content-Type", contentType)
			}
			change(r)
			known(c, r, route)
			all = append(all, r)
		}
		return all
	}
}

// known makes sure that what is not public is asked for by somebody who is known,
// where a public route has no token to begin with.
func known(c Config, r *http.Request, route httpguard.Route) {
	if route.Role == httpguard.Public {
		authorize(r, c.Tokens[httpguard.Read])
	}
}

// anyMethod makes one request of each change and method.
func anyMethod(changes ...func(*http.Request)) func(Config, httpguard.Route) []*http.Request {
	return func(c Config, route httpguard.Route) []*http.Request {
		var all []*http.Request
		for _, method := range methods {
			all = append(all, each("", func(r *http.Request) { r.Method = method })(c, route)...)
		}
		var changed []*http.Request
		for _, r := range all {
			for _, change := range changes {
				r := r.Clone(r.Context())
				change(r)
				changed = append(changed, r)
			}
		}
		return changed
	}
}

func lowerRoles(c Config, route httpguard.Route) []*http.Request {
	var all []*http.Request
	for role := httpguard.Read; role < route.Role; role++ {
		r := c.request(route)
		authorize(r, c.Tokens[role])
		all = append(all, r)
	}
	return all
}

func oversized(c Config, route httpguard.Route) []*http.Request {
	if route.Stream || len(route.Types) == 0 {
		return nil // there is no limit, or nothing that would have one
	}
	return each(route.Types[0], func(r *http.Request) {
		r.ContentLength = route.MaxBody + 1
	})(c, route)
}

// otherMethods are those that none of the routes with the same path has.
func otherMethods(c Config, route httpguard.Route) []*http.Request {
	_, path, _ := strings.Cut(route.Pattern, " ")
	taken := map[string]bool{}
	for _, other := range c.Routes {
		method, its, _ := strings.Cut(other.Pattern, " ")
		if wildcard.ReplaceAllString(its, "{}") == wildcard.ReplaceAllString(path, "{}") {
			taken[method] = true
			taken["HEAD"] = taken["HEAD"] || method == "GET"
		}
	}
	var all []*http.Request
	for _, method := range methods {
		if !taken[method] {
			all = append(all, each("", func(r *http.Request) { r.Method = method })(c, route)...)
		}
	}
	return all
}
