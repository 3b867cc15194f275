// Command agentd is the runner daemon: it runs the attempts of engines elsewhere on
// the machine that it is started on.
//
//	agentd -dir /var/lib/daggy -token-file /etc/daggy/tokens
//
// It listens on 127.0.0.1:2504, or where -listen or the configuration file says, and
// serves the protocol that executor/remote/PROTOCOL.md describes. Everything about
// it is in package agent; this is flags, a configuration file, signals and systemd.
//
// # Who may call
//
// It does not start without an answer to that:
//
//	-token-file FILE     lines of a role (read, submit, admin) and a token, mode 0600
//	-client-ca FILE      client certificates, with -certificate 'CN=engine=submit'
//	-insecure-loopback   everybody on this machine, and all that they run
//
// This makes a token and keeps only its hash here; the token itself goes into the
// token file of the engine:
//
//	head -c 32 /dev/urandom | base64 > engine.token
//	echo "submit sha256:$(tr -d '\n' < engine.token | sha256sum | cut -d ' ' -f 1)" > tokens
//	chmod 600 engine.token tokens
//
// An address that other machines can reach takes TLS as well: -tls-cert and -tls-key.
// The files are read again when they change. Engines call the machine by its host
// name or by its address; other names are given with -host. As root on such an
// address it refuses to run jobs unless -allow-root says otherwise.
//
// # The configuration file
//
// -config FILE reads what the original daemon read, and more; flags come first:
//
//	{
//	  "ip": "127.0.0.1",
//	  "port": 2504,
//	  "capacity_overrides": {"cores": 10, "memory_mb": 10000, "gpus": 2},
//	  "dir": "/var/lib/daggy",
//	  "token_file": "/etc/daggy/tokens",
//	  "tls": {"cert": "cert.pem", "key": "key.pem", "client_ca": "ca.pem"},
//	  "certificates": {"CN=engine": "submit"},
//	  "hosts": ["node7.cluster"],
//	  "node": "node7", "listen": "unix:/run/daggy/agentd.sock", "limits": "required",
//	  "ephemeral": false, "insecure_loopback": false, "allow_root": false
//	}
//
// Unknown members are refused. "listen" replaces "ip" and "port". "web-threads" is
// taken and does nothing, which the log says. 0 cores are all of them; what is not
// overridden is detected, less two cores and a quarter of the memory. Other names
// are resources of your own, of which jobs may ask for some.
//
// # Signals
//
// SIGTERM and SIGINT: nothing new is taken, what runs is waited for (-drain), and
// the daemon ends. On Linux, what still runs then goes on without it, and the next
// daemon with the same -dir finds it again, so that it is not waited for unless
// -drain says so; with -ephemeral, and elsewhere, it is stopped. A second signal ends
// the waiting. SIGHUP reads the token file again.
//
// # systemd
//
// agentd.service and agentd.socket beside this file are units to start from. The
// daemon says when it is ready and when it is stopping, and takes a socket that
// systemd has opened. KillMode=process matters: without it systemd ends the jobs
// together with the daemon.
//
// The exit code is 0 if it was told to end, 1 if something made it end, and 2 for
// bad usage or a bad configuration, with every problem on a line of the standard
// error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/hashicorp/go-multierror"
)

// Exit codes.
const (
	exitTold   = 0
	exitFailed = 1
	exitBad    = 2 // nothing was started
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stderr))
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = io.WriteString(stderr, usage) // nobody is left to tell
		return exitTold
	}
	if err != nil {
		complain(stderr, err)
		return exitBad
	}
	log := s.logger(stderr)
	if err := serve(ctx, s, log); err != nil {
		for _, one := range problems(err) {
			log.Error("the daemon ends", slog.String("err", inFlags(one)))
		}
		return exitFailed
	}
	return exitTold
}

// complain prints every problem on a line.
func complain(w io.Writer, err error) {
	for _, one := range problems(err) {
		_, _ = fmt.Fprintf(w, "agentd: %v\n", one) // nobody is left to tell
	}
}

// inFlags says what package agent says in the words of the command line.
func inFlags(err error) string {
	return strings.NewReplacer(
		"Auth.TokenFile", "-token-file", "Auth.Certificates", "-certificate",
		"Auth.InsecureLoopback", "-insecure-loopback", "TLS.CertFile", "-tls-cert",
		"TLS.KeyFile", "-tls-key", "TLS.ClientCAFile", "-client-ca",
		"Config.AllowRoot", "-allow-root", "Config.Capacity", "-capacity",
		"Config.Dir", "-dir", "Config.Ephemeral", "-ephemeral", "Config.Limits", "-limits",
	).Replace(err.Error())
}

func problems(err error) []error {
	if many, ok := errors.AsType[*multierror.Error](err); ok {
		return many.Errors
	}
	return []error{err}
}
