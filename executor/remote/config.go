package remote

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
)

// Unreachable says what becomes of attempts on a node that cannot be reached.
type Unreachable string

const (
	// Wait until the node is back, for ever if need be. Nothing ever runs twice.
	Wait Unreachable = "wait"
	// Replace them once it is certain that their leases are over and the node has
	// stopped them: they are lost, and the runner tries again, elsewhere.
	Replace Unreachable = "replace"
)

// What Config has where it says 0.
const (
	DefaultLease      = time.Minute
	DefaultMargin     = 10 * time.Second
	DefaultMinBackoff = 100 * time.Millisecond
	DefaultMaxBackoff = 30 * time.Second
)

const longest = 365 * 24 * time.Hour

// Config says which nodes there are and how to treat them. The zero Config has no
// node; nodes can be added later.
type Config struct {
	// Nodes are the runner daemons.
	Nodes []Node
	// OnUnreachable is Wait or Replace. "": Wait.
	OnUnreachable Unreachable
	// Lease is how long a daemon lets attempts go on without hearing from this
	// executor. 0: with Replace [DefaultLease], with Wait for ever. An engine that
	// is away for longer finds its attempts stopped, and so lost. It is renewed
	// after a sixth of it, so that one or two lost renewals do no harm. A second at
	// least, a year at most.
	Lease time.Duration
	// Margin is added to the lease and a tenth of it, with Replace, before anything
	// is taken for lost. It covers what a daemon needs to end what it stops, beyond
	// the time that it says itself. 0: [DefaultMargin]. A year at most.
	Margin time.Duration
	// Ephemeral is for daemons that keep no journal. The executor is then not
	// durable: attempts end with the engine, and are lost with the daemon.
	Ephemeral bool
	// MinBackoff and MaxBackoff are the least and the most to wait before a node
	// that could not be reached is tried again. 0: [DefaultMinBackoff] and
	// [DefaultMaxBackoff]. With a Lease it is a quarter of that at most.
	MinBackoff, MaxBackoff time.Duration
	// Validate checks jobs before anything starts, since only the daemons know what
	// they can run: that of the executor they have, as a rule. Nil: what no daemon
	// could take is refused, and the rest when it is submitted.
	Validate func(dag.Job) error
	// Logger is told when nodes come and go. Nil: nobody is.
	Logger *slog.Logger
}

// A Node is a runner daemon, as the program that owns the executor knows it.
type Node struct {
	// Name is what tasks and reports call it, and what an engine that resumes finds
	// it by again. Ties between equal nodes go to the first by name. Required.
	Name string
	// URL is where it listens: http://127.0.0.1:2504, https://node7:2504 or
	// unix:///run/daggy/agent.sock. Plain HTTP is for this machine, or for a Dial
	// that is safe by itself. Redirects are not followed. While attempts are open it
	// has to lead to the same machine: another one that answers there would be taken
	// for that one after a boot.
	URL string
	// Token is sent to this URL and nowhere else. TokenFile is a file that has it,
	// which is read again whenever the node is connected to, or does not take the
	// token, so that it can be replaced; nobody else may have access to it. Use one of
	// the two or none.
	Token, TokenFile string
	// TLS is for https: certificates of authorities, or of this client. Nil: those
	// of the system.
	TLS *tls.Config
	// Dial makes connections in place of dialling the host of URL, for example
	// through a tunnel. Nil: the host is dialled.
	Dial func(ctx context.Context) (net.Conn, error)
}

// withDefaults fills in what is 0 and reports what cannot be.
func (c Config) withDefaults() (Config, error) {
	var errs *multierror.Error
	fill := func(field string, d *time.Duration, value time.Duration) {
		if *d < 0 {
			errs = multierror.Append(errs, fmt.Errorf("remote: %s is negative", field))
		}
		if *d == 0 {
			*d = value
		}
	}
	switch c.OnUnreachable {
	case "":
		c.OnUnreachable = Wait
	case Wait:
	case Replace:
		fill("Lease", &c.Lease, DefaultLease)
	default:
		errs = multierror.Append(errs, fmt.Errorf("remote: OnUnreachable is %q, not %q or %q",
			c.OnUnreachable, Wait, Replace))
	}
	if c.Lease < 0 || c.Lease > 0 && c.Lease < time.Second {
		errs = multierror.Append(errs,
			fmt.Errorf("remote: Lease is %v, less than a second", c.Lease))
	}
	// Sums of these are to be durations.
	for field, d := range map[string]time.Duration{"Lease": c.Lease, "Margin": c.Margin} {
		if d > longest {
			errs = multierror.Append(errs,
				fmt.Errorf("remote: %s is %v, more than %v", field, d, longest))
		}
	}
	fill("Margin", &c.Margin, DefaultMargin)
	fill("MinBackoff", &c.MinBackoff, DefaultMinBackoff)
	fill("MaxBackoff", &c.MaxBackoff, max(DefaultMaxBackoff, c.MinBackoff))
	if c.Lease > 0 {
		// Or leases would end while a node is there again and nobody knows.
		c.MaxBackoff = min(c.MaxBackoff, c.Lease/4)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, errs.ErrorOrNil()
}

// address is where a node is, taken apart.
type address struct {
	base   string // what paths are appended to
	scheme string
	host   string // to dial
	socket string // unix socket in place of host
}

// address checks the node.
func (n *Node) address() (address, error) {
	fail := func(format string, args ...any) (address, error) {
		return address{}, fmt.Errorf("remote: node %q: "+format, append([]any{n.Name}, args...)...)
	}
	if n.Name == "" {
		return fail("it has no name (URL %q)", n.URL)
	}
	if n.Token != "" && n.TokenFile != "" {
		return fail("use one of Token and TokenFile")
	}
	u, err := url.Parse(n.URL)
	if err != nil {
		return fail("URL: %v", err)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fail("URL: nothing but scheme, host and path belongs there; " +
			"a token goes into TokenFile")
	}
	switch u.Scheme {
	case "unix":
		if u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return fail("URL %q: a socket is unix:///an/absolute/path", n.URL)
		}
		return address{base: "http://localhost", scheme: u.Scheme, socket: u.Path}, nil
	case "http":
		if !local(u.Hostname()) && n.Dial == nil {
			return fail("URL %q: plain HTTP goes to this machine only; use https", n.URL)
		}
	case "https":
	default:
		return fail("URL %q: the scheme has to be http, https or unix", n.URL)
	}
	if u.Hostname() == "" {
		return fail("URL %q has no host", n.URL)
	}
	return address{
		base: strings.TrimSuffix(u.String(), "/"), scheme: u.Scheme, host: u.Host,
	}, nil
}

// local reports whether a host is this machine without anybody having to be asked.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
