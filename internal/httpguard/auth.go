package httpguard

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Auth says who may call. The zero Auth is nobody, and nothing listens with it.
// Tokens and certificates may be used together: a request that has a token is
// judged by its token.
type Auth struct {
	// TokenFile is a file of tokens, a role and a token on each line:
	//
	//	# engines; the second one is on its way out
	//	submit 0Wv3nTqzXxkAbfVvJpl5TnCqcT8T0qkvPZ9h0aNwH3E=
	//	submit sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
	//	read   …
	//
	// The roles are read, submit and admin. A token is at least [MinToken] letters,
	// digits and -._~+/=; with "sha256:" it is the hexadecimal SHA-256 of one,
	// so that the file holds no secret. The file belongs to this user or to root, and
	// nobody else may have access to it. It is read again within a second after it
	// has changed; while it cannot be read or has errors, the tokens from before
	// stay valid and the error is logged. To take a token back, remove its line;
	// requests that are being answered go on.
	TokenFile string
	// Certificates are the roles of clients whose certificate a client CA has
	// signed ([TLS].ClientCAFile), by a name in the certificate: the whole subject
	// as Go and RFC 2253 write it ("CN=engine,O=lab"), or "dns:engine.lab",
	// "uri:spiffe://lab/engine", "email:…", "ip:…" for alternative names. A client
	// with several names has the highest of their roles.
	Certificates map[string]Role
	// InsecureLoopback lets everybody do everything who connects from this
	// machine or through a unix socket: all its users, and all programs that they
	// run. It excludes the other fields and listening on a network.
	InsecureLoopback bool
}

// isZero says that nobody may call.
func (a Auth) isZero() bool {
	return a.TokenFile == "" && len(a.Certificates) == 0 && !a.InsecureLoopback
}

var certificateKinds = []string{"dns", "uri", "email", "ip"}

// check reports everything that is wrong, files apart.
func (a Auth) check() error {
	var errs *multierror.Error
	if a.InsecureLoopback && (a.TokenFile != "" || len(a.Certificates) > 0) {
		errs = multierror.Append(errs, errors.New("httpguard: Auth.InsecureLoopback lets "+
			"everybody in, so that tokens and certificates mean nothing: choose one"))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Certificates)) {
		if role := a.Certificates[name]; role < Read || role > Admin {
			errs = multierror.Append(errs, fmt.Errorf("httpguard: certificate %q has the role "+
				"%v: want read, submit or admin", name, role))
		}
		kind, rest, _ := strings.Cut(name, ":")
		subject := strings.Contains(kind, "=")
		if !subject && (rest == "" || !slices.Contains(certificateKinds, kind)) {
			errs = multierror.Append(errs, fmt.Errorf("httpguard: certificate %q: want a subject "+
				`such as "CN=engine,O=lab", or "dns:", "uri:", "email:" or "ip:" and a name`, name))
		}
	}
	return errs.ErrorOrNil()
}

// A gatekeeper knows callers.
type gatekeeper struct {
	auth   Auth
	tokens *watched[tokens] // nil: no token file
}

func newGatekeeper(a Auth, log *slog.Logger) (*gatekeeper, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	a.Certificates = maps.Clone(a.Certificates)
	k := &gatekeeper{auth: a}
	if a.TokenFile == "" {
		return k, nil
	}
	var err error
	k.tokens, err = watch(log, func() (*tokens, error) { return readTokens(a.TokenFile) },
		a.TokenFile)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// role returns the role of whoever sent r.
func (k *gatekeeper) role(r *http.Request) (Role, *Error) {
	if k.auth.InsecureLoopback {
		if fromThisMachine(r) {
			return Admin, nil
		}
		return nobody, fail(http.StatusForbidden, "only callers on the daemon's own machine "+
			"are let in", "the daemon runs without authentication; give it a token file")
	}
	if headers := r.Header["Authorization"]; len(headers) > 0 {
		return k.byToken(headers)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return k.byCertificate(certificateNames(r.TLS.VerifiedChains[0][0]))
	}
	return nobody, unauthorized("who are you? there is no Authorization header")
}

func (k *gatekeeper) byToken(headers []string) (Role, *Error) {
	if len(headers) > 1 {
		return nobody, unauthorized("there is more than one Authorization header")
	}
	scheme, token, ok := strings.Cut(headers[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nobody, unauthorized("the Authorization header is not of the form Bearer TOKEN")
	}
	if k.tokens != nil {
		if role := k.tokens.get().role(token); role != nobody {
			return role, nil
		}
	}
	return nobody, unauthorized("the token is not valid")
}

func (k *gatekeeper) byCertificate(names []string) (Role, *Error) {
	role := nobody
	for _, name := range names {
		role = max(role, k.auth.Certificates[name])
	}
	if role != nobody {
		return role, nil
	}
	if len(k.auth.Certificates) == 0 {
		return nobody, unauthorized("a certificate is not enough here, a token is needed too")
	}
	return nobody, fail(http.StatusForbidden,
		"the client certificate has no role here: it is "+strings.Join(names, ", "),
		"the daemon's configuration gives roles to names of certificates")
}

func unauthorized(text string) *Error {
	return fail(http.StatusUnauthorized, text,
		"send the header Authorization: Bearer TOKEN, with a token of the daemon's token file")
}

// fromThisMachine says that the connection of r did not come over a network.
func fromThisMachine(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		if _, ok := local.(*net.UnixAddr); ok {
			return true
		}
	}
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && remote.Addr().Unmap().IsLoopback()
}
