package httpguard

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"
)

// What a zero [Listening] stands for.
const (
	DefaultMaxConns = 1024
	DefaultGrace    = 10 * time.Second
)

// Listening says where and how a guard listens.
type Listening struct {
	// Address is "host:port" or "unix:path". Port 0 is any free one. The socket at
	// the path is for the user of this process only (mode 0600); one that nobody
	// listens on any more is replaced. An address that is not of this machine
	// alone takes TLS, and tokens or client certificates.
	Address string
	// TLS is used if it is not zero.
	TLS TLS
	// MaxConns is the number of connections at a time; more of them wait until
	// one is closed. 0: [DefaultMaxConns]. Negative: no limit.
	MaxConns int
	// Grace is how long [Guard.Serve] waits at its end for requests that are being
	// answered, before it ends them. 0: [DefaultGrace]. Negative: not at all.
	Grace time.Duration
}

// A Listener is an open socket that may be served. Make it with [Guard.Listen] or
// [Guard.Adopt].
type Listener struct {
	net.Listener
	grace time.Duration
}

// Listen opens the socket that c describes. It refuses, before anything is open,
// what would let in those who should not be.
func (g *Guard) Listen(ctx context.Context, c Listening) (*Listener, error) {
	network, address, err := resolve(ctx, c.Address)
	if err != nil {
		return nil, err
	}
	config, err := g.permit(address, c.TLS)
	if err != nil {
		return nil, err
	}
	var l net.Listener
	if network == "unix" {
		l, err = listenUnix(ctx, address.String())
	} else {
		var lc net.ListenConfig
		l, err = lc.Listen(ctx, network, address.String())
	}
	if err != nil {
		return nil, fmt.Errorf("httpguard: listen on %s: %w", c.Address, err)
	}
	return secure(l, config, c), nil
}

// Adopt makes a listener of a socket that somebody else has opened, such as
// systemd. The Address of c is not used; the same is refused as by [Guard.Listen],
// and then l stays open.
func (g *Guard) Adopt(l net.Listener, c Listening) (*Listener, error) {
	config, err := g.permit(l.Addr(), c.TLS)
	if err != nil {
		return nil, err
	}
	return secure(l, config, c), nil
}

func secure(l net.Listener, config *tls.Config, c Listening) *Listener {
	if c.MaxConns == 0 {
		c.MaxConns = DefaultMaxConns
	}
	if c.MaxConns > 0 {
		l = limit(l, c.MaxConns)
	}
	if config != nil {
		l = tls.NewListener(l, config)
	}
	if c.Grace == 0 {
		c.Grace = DefaultGrace
	}
	return &Listener{l, c.Grace}
}

// permit refuses what would be open to everybody. The configuration is nil
// without TLS.
func (g *Guard) permit(address net.Addr, t TLS) (*tls.Config, error) {
	auth := g.keeper.auth
	var errs *multierror.Error
	if err := t.check(); err != nil {
		errs = multierror.Append(errs, err)
	}
	if auth.isZero() {
		errs = multierror.Append(errs, errors.New("httpguard: nobody may call: set "+
			"Auth.TokenFile or Auth.Certificates, or Auth.InsecureLoopback to let in "+
			"everybody on this machine"))
	}
	if len(auth.Certificates) > 0 && t.ClientCAFile == "" {
		errs = multierror.Append(errs, errors.New("httpguard: Auth.Certificates gives roles to "+
			"certificates that nothing would check: set TLS.ClientCAFile too"))
	}
	if !Local(address) && auth.InsecureLoopback {
		errs = multierror.Append(errs, fmt.Errorf("httpguard: %v can be reached from other "+
			"machines, which Auth.InsecureLoopback excludes: listen on 127.0.0.1 or on "+
			"unix:PATH, or use tokens or certificates", address))
	}
	if !Local(address) && t.isZero() {
		errs = multierror.Append(errs, fmt.Errorf("httpguard: %v can be reached from other "+
			"machines, and without TLS everybody in between can read and change what is sent: "+
			"set TLS.CertFile and TLS.KeyFile, or listen on 127.0.0.1 or on unix:PATH", address))
	}
	if err := errs.ErrorOrNil(); err != nil || t.isZero() {
		return nil, err
	}
	return t.server(g.log)
}

// Local says whether only this machine can connect to an address: a loopback
// address or a unix socket.
func Local(a net.Addr) bool {
	switch a := a.(type) {
	case *net.UnixAddr:
		return true
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	}
	return false
}

// resolve finds out what a name means once, so that what is judged is what is
// listened on.
func resolve(ctx context.Context, address string) (string, net.Addr, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return "", nil, errors.New(`httpguard: listen on "unix:": want a path after it`)
		}
		return "unix", &net.UnixAddr{Net: "unix", Name: path}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", nil, fmt.Errorf("httpguard: listen on %q: want HOST:PORT, such as "+
			"127.0.0.1:2504, or unix:PATH: %w", address, err)
	}
	var r net.Resolver
	number, err := r.LookupPort(ctx, "tcp", port)
	if err != nil {
		return "", nil, fmt.Errorf("httpguard: listen on %q: %w", address, err)
	}
	if host == "" {
		return "tcp", &net.TCPAddr{Port: number}, nil
	}
	ips, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", nil, fmt.Errorf("httpguard: listen on %q: %w", address, err)
	}
	ip := ips[0]
	for _, other := range ips {
		if other.Unmap().Is4() {
			ip = other.Unmap() // as the net package chooses
			break
		}
	}
	return "tcp", &net.TCPAddr{IP: ip.AsSlice(), Zone: ip.Zone(), Port: number}, nil
}
