package httpguard

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// hosts are the names that requests may call the daemon by. A page in a browser
// can have its own name resolve to any address, but cannot send another name
// than its own (DNS rebinding).
type hosts map[string]struct{}

// checkHosts refuses what no caller could call the daemon by.
func checkHosts(names []string) error {
	var errs *multierror.Error
	for _, name := range names {
		_, err := netip.ParseAddr(strings.Trim(name, "[]"))
		if name == "" || err != nil && strings.ContainsAny(name, ":/@*[] ") {
			errs = multierror.Append(errs, fmt.Errorf("httpguard: host %q: want a name or an "+
				"address such as node7.cluster, without a port", name))
		}
	}
	return errs.ErrorOrNil()
}

func newHosts(names []string) hosts {
	h := hosts{"localhost": {}, "127.0.0.1": {}, "::1": {}}
	for _, name := range names {
		name = strings.ToLower(name)
		if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			name = addr.String()
		}
		h[name] = struct{}{}
	}
	return h
}

// allow says whether r is for this daemon: by one of the names, or by the address
// that it came in on. The port does not matter: it is another one behind a tunnel,
// and it is not what an attacker would get wrong.
func (h hosts) allow(r *http.Request) bool {
	name, ok := hostname(r.Host)
	if !ok {
		return false
	}
	if _, ok := h[name]; ok {
		return true
	}
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return local != nil && local.AddrPort().Addr().Unmap() == addr.Unmap()
}

// hostname takes the port and brackets off a Host header.
func hostname(host string) (string, bool) {
	name, port := host, ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", false
		}
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		addr, err := netip.ParseAddr(inner)
		return addr.String(), ok && err == nil && addr.Is6()
	}
	return strings.ToLower(name), !strings.Contains(name, ":")
}
