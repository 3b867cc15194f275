package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

const usage = `usage: agentd [flags]
Runs the attempts of engines elsewhere on this machine.

  -config FILE         a configuration file in JSON; flags come first
  -listen ADDRESS      HOST:PORT or unix:PATH (default 127.0.0.1:2504, or the
                       socket that systemd has opened)
  -dir DIR             where the journal, outputs and processes are kept
                       (default: $STATE_DIRECTORY, as systemd sets it)
  -ephemeral           keep no journal: everything ends with the daemon

who may call:
  -token-file FILE     roles (read, submit, admin) and tokens, a pair a line
  -tls-cert FILE       the certificate of this daemon, in PEM
  -tls-key FILE        and its key
  -client-ca FILE      clients need a certificate that one of these CAs signed
  -certificate N=ROLE  the role of the certificate with the name N, such as
                       CN=engine,O=lab=submit or dns:engine.lab=read
  -insecure-loopback   everybody on this machine may do everything
  -host NAME           another name that clients use for this machine
  -allow-root          run jobs as root for callers from the network

the node:
  -node NAME           what engines call it (default: the host name)
  -capacity R=AMOUNT   how much it offers of a resource: cores=0 (all of them),
                       memoryMB=16000, gpus=2 or any other
  -limits MODE         of jobs whose limits the kernel cannot be asked to enforce:
                       possible (run them, results say what is not enforced; the
                       default), required (refuse them), off (enforce nothing)
  -grace TIME          from asking a process to stop to killing it (default 10s)
  -drain TIME          how long what runs is waited for at the end (default 0, for
                       it goes on; 30s with -ephemeral, for it does not)
  -log text|json       the form of the log on the standard error (default text)

-certificate, -host and -capacity may be repeated.
`

// Defaults.
const (
	defaultIP      = "127.0.0.1"
	defaultPort    = "2504"
	defaultAddress = defaultIP + ":" + defaultPort
	defaultDrain   = 30 * time.Second // of what does not go on
)

// settings are the flags and the configuration file.
type settings struct {
	agent     agent.Config
	listening agent.Listening
	drain     time.Duration
	json      bool     // the form of the log
	notes     []string // what the log is to say first
}

// A setter is a flag that was given.
type setter func(s *settings) error

// parse reads the command line, and the configuration file that it names. The error
// is flag.ErrHelp if that was asked for, and otherwise has everything that is wrong.
func parse(args []string) (*settings, error) {
	var given []setter
	config := ""
	fs := flag.NewFlagSet("agentd", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&config, "config", "", "")
	flags(fs, &given)
	fs.BoolFunc("d", "", func(string) error {
		return errors.New("it stays in the foreground: have systemd run it in the background")
	})
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("want no arguments but flags, got %q", fs.Arg(0))
	}
	s := &settings{drain: -1}
	var errs *multierror.Error
	if config != "" {
		if err := s.read(config); err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	for _, set := range given {
		if err := set(s); err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	return s, nil
}

// flags defines them. What they set is set later, over the configuration file.
func flags(fs *flag.FlagSet, given *[]setter) {
	text := func(name string, set func(s *settings, value string) error) {
		fs.Func(name, "", func(value string) error {
			if value == "" {
				return errors.New("it is empty")
			}
			*given = append(*given, func(s *settings) error {
				if err := set(s, value); err != nil {
					return fmt.Errorf("-%s %s: %w", name, value, err)
				}
				return nil
			})
			return nil
		})
	}
	plain := func(name string, field func(s *settings) *string) {
		text(name, func(s *settings, value string) error {
			*field(s) = value
			return nil
		})
	}
	yes := func(name string, field func(s *settings) *bool) {
		fs.BoolFunc(name, "", func(value string) error {
			on, err := strconv.ParseBool(value)
			*given = append(*given, func(s *settings) error {
				*field(s) = on
				return nil
			})
			return err
		})
	}
	span := func(name string, field func(s *settings) *time.Duration) {
		text(name, func(s *settings, value string) (err error) {
			*field(s), err = time.ParseDuration(value)
			if err == nil && *field(s) < 0 {
				err = errors.New("it is negative")
			}
			return err
		})
	}
	plain("listen", func(s *settings) *string { return &s.listening.Address })
	plain("dir", func(s *settings) *string { return &s.agent.Dir })
	yes("ephemeral", func(s *settings) *bool { return &s.agent.Ephemeral })
	plain("token-file", func(s *settings) *string { return &s.agent.Auth.TokenFile })
	plain("tls-cert", func(s *settings) *string { return &s.listening.TLS.CertFile })
	plain("tls-key", func(s *settings) *string { return &s.listening.TLS.KeyFile })
	plain("client-ca", func(s *settings) *string { return &s.listening.TLS.ClientCAFile })
	text("certificate", (*settings).addCertificate)
	yes("insecure-loopback", func(s *settings) *bool { return &s.agent.Auth.InsecureLoopback })
	text("host", (*settings).addHost)
	yes("allow-root", func(s *settings) *bool { return &s.agent.AllowRoot })
	plain("node", func(s *settings) *string { return &s.agent.Node })
	text("capacity", (*settings).addCapacity)
	text("limits", (*settings).setLimits)
	span("grace", func(s *settings) *time.Duration { return &s.agent.Grace })
	span("drain", func(s *settings) *time.Duration { return &s.drain })
	text("log", func(s *settings, value string) error {
		s.json = value == "json"
		if value != "json" && value != "text" {
			return errors.New("want text or json")
		}
		return nil
	})
}

func (s *settings) addHost(name string) error {
	s.agent.Hosts = append(s.agent.Hosts, name)
	return nil
}

// addCertificate takes the last "=" apart: there are others in subjects.
func (s *settings) addCertificate(text string) error {
	i := strings.LastIndexByte(text, '=')
	if i < 0 {
		return errors.New("want NAME=ROLE")
	}
	return s.setCertificate(text[:i], text[i+1:])
}

func (s *settings) setCertificate(name, role string) error {
	var r agent.Role
	if err := r.UnmarshalText([]byte(role)); err != nil {
		return err
	}
	if s.agent.Auth.Certificates == nil {
		s.agent.Auth.Certificates = map[string]agent.Role{}
	}
	s.agent.Auth.Certificates[name] = r
	return nil
}

// limitModes are what becomes of limits that cannot be enforced.
var limitModes = map[string]fork.LimitMode{
	"possible": fork.LimitsPossible, "required": fork.LimitsRequired, "off": fork.LimitsOff,
}

func (s *settings) setLimits(mode string) error {
	m, ok := limitModes[mode]
	if !ok {
		return errors.New("want possible, required or off")
	}
	s.agent.Limits.Mode = m
	return nil
}

func (s *settings) addCapacity(text string) error {
	name, amount, ok := strings.Cut(text, "=")
	n, err := strconv.ParseInt(amount, 10, 64)
	if !ok || err != nil {
		return errors.New("want RESOURCE=AMOUNT, such as memoryMB=16000")
	}
	return s.setCapacity(name, n)
}

func (s *settings) setCapacity(name string, amount int64) error {
	name, err := resource(name)
	if err != nil {
		return err
	}
	if amount < 0 {
		return errors.New("it is negative")
	}
	if s.agent.Capacity == nil {
		s.agent.Capacity = capacity.Resources{}
	}
	s.agent.Capacity[name] = amount
	return nil
}

// complete checks what only the whole shows, and fills in what was left out.
func (s *settings) complete() error {
	var errs *multierror.Error
	auth := s.agent.Auth
	if auth.TokenFile == "" && len(auth.Certificates) == 0 && !auth.InsecureLoopback {
		errs = multierror.Append(errs, errors.New("who may call? give -token-file FILE, a file "+
			`with lines such as those of: echo "submit $(head -c 32 /dev/urandom | base64)"; or `+
			"-client-ca and -certificate; or -insecure-loopback, to let everybody on this machine "+
			"do everything"))
	}
	if s.agent.Dir == "" {
		s.agent.Dir = os.Getenv("STATE_DIRECTORY")
	}
	if s.agent.Dir == "" && !s.agent.Ephemeral {
		errs = multierror.Append(errs, errors.New("where is the journal kept? give -dir DIR, or "+
			"-ephemeral to keep none, so that everything ends with the daemon"))
	}
	if err := errs.ErrorOrNil(); err != nil {
		return err
	}
	if s.drain < 0 {
		s.drain = 0
		if s.agent.Ephemeral || runtime.GOOS != "linux" {
			s.drain = defaultDrain
		}
	}
	if name, err := os.Hostname(); err == nil {
		s.agent.Hosts = append(s.agent.Hosts, name)
	}
	if host, _, err := net.SplitHostPort(s.listening.Address); err == nil && host != "" {
		s.agent.Hosts = append(s.agent.Hosts, host)
	}
	return nil
}

func (s *settings) logger(w io.Writer) *slog.Logger {
	var h slog.Handler = slog.NewTextHandler(w, nil)
	if s.json {
		h = slog.NewJSONHandler(w, nil)
	}
	return slog.New(h)
}
