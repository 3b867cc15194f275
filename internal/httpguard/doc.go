// Package httpguard is everything that stands between a network and the handlers
// of a daemon: who may call, from where, with what, and for how long. It knows
// nothing of what the handlers do.
//
//	g, err := httpguard.New(httpguard.Config{
//		Auth:   httpguard.Auth{TokenFile: "/etc/daggy/tokens"},
//		Logger: logger,
//	})
//	g.Handle(httpguard.Route{
//		Pattern: "GET /api/v1/capacity", Role: httpguard.Read, Handler: capacity,
//	})
//	l, err := g.Listen(ctx, httpguard.Listening{Address: "127.0.0.1:2504"})
//	err = g.Serve(ctx, l, nil)
//
// # What is refused
//
// In this order, and before a byte of the body is read:
//
//	421  the Host is none of the daemon's names ([Config].Hosts)
//	403  a browser sends it for another site, whatever the method
//	400  a token in the URL
//	401  no token or certificate, or one that is not known
//	404  there is no such route; 405 there is, for other methods
//	403  the role of the caller is not the route's
//	415  a Content-Encoding, or another Content-Type than the route takes
//	413  a body longer than the route takes; without a Content-Length that shows
//	     when it is read
//
// Callers who are not known get 401 for every path, so that they do not learn
// which there are. Every such answer, and that to a handler that panics (500), is
// JSON, {"error": "...", "code": "...", "hint": "..."}, which [WriteError] writes for
// handlers too. What is not HTTP at all is answered by net/http, in plain text.
//
// # What handlers can count on
//
// A request that arrives has the role of its route. Its body has a limit, and
// ends with an error when nothing comes for [BodyPatience], unless it is a
// [Route].Stream. Answers have no limit in time, so that they can be streams: use
// [http.NewResponseController] to flush them and to give each write its deadline.
// There are no CORS headers.
//
// # What is logged
//
// Refusals, one line a second at most, panics and files that cannot be read
// again. Never a token, a header or a URL.
//
// # What it does not do
//
// It does not count the attempts of those who guess: tokens have at least
// [MinToken] characters. It speaks HTTP/1.1 only, where one connection is one
// request and limits are plain; streams need no more. It cannot tell a proxy on
// this machine from a caller on this machine: do not put one in front of
// [Auth].InsecureLoopback.
package httpguard
