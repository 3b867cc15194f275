package httpguard

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/hashicorp/go-multierror"
)

// TLS names the files of a daemon that speaks TLS. The zero TLS is none. The files
// are read again within a second after they have changed, for connections that
// begin after that; while they cannot be read or do not fit together, what was
// read before stays in use and the error is logged.
type TLS struct {
	// CertFile and KeyFile are the certificate, followed by those up to its CA,
	// and its key, in PEM. The key must not be readable for all users.
	CertFile, KeyFile string
	// ClientCAFile has the certificates of the CAs, in PEM, one of which must have
	// signed the certificate of a client. "": clients need none.
	ClientCAFile string
}

func (t TLS) isZero() bool { return t == TLS{} }

func (t TLS) check() error {
	if t.isZero() || (t.CertFile != "" && t.KeyFile != "") {
		return nil
	}
	return errors.New("httpguard: TLS needs both CertFile and KeyFile, a certificate and its key")
}

// server returns a configuration that follows the files.
func (t TLS) server(log *slog.Logger) (*tls.Config, error) {
	paths := []string{t.CertFile, t.KeyFile}
	if t.ClientCAFile != "" {
		paths = append(paths, t.ClientCAFile)
	}
	files, err := watch(log, t.load, paths...)
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The same one as long as the files are the same, so that sessions can be
		// taken up again.
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return files.get(), nil
		},
	}, nil
}

func (t TLS) load() (*tls.Config, error) {
	var errs *multierror.Error
	if err := t.checkKey(); err != nil {
		errs = multierror.Append(errs, err)
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		errs = multierror.Append(errs, fmt.Errorf("httpguard: TLS certificate %s and key %s: %w",
			t.CertFile, t.KeyFile, err))
	}
	c := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		NextProtos:   []string{"http/1.1"},
	}
	if t.ClientCAFile != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if c.ClientCAs, err = readCAs(t.ClientCAFile); err != nil {
			errs = multierror.Append(errs, err)
		}
	}
	if err := errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	return c, nil
}

func (t TLS) checkKey() error {
	f, err := os.Open(t.KeyFile)
	if err != nil {
		return nil // loading it will say so
	}
	defer func() { _ = f.Close() }() // it was only looked at
	// Groups are how distributions share keys with daemons.
	if err := private(f, 0o007); err != nil {
		return fmt.Errorf("httpguard: TLS key %s: %w", t.KeyFile, err)
	}
	return nil
}

func readCAs(path string) (*x509.CertPool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("httpguard: client CAs: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("httpguard: client CAs: there is no certificate in PEM in %s", path)
	}
	return pool, nil
}

// certificateNames are the names that [Auth].Certificates can have.
func certificateNames(c *x509.Certificate) []string {
	names := []string{c.Subject.String()}
	for _, name := range c.DNSNames {
		names = append(names, "dns:"+name)
	}
	for _, name := range c.URIs {
		names = append(names, "uri:"+name.String())
	}
	for _, name := range c.EmailAddresses {
		names = append(names, "email:"+name)
	}
	for _, ip := range c.IPAddresses {
		names = append(names, "ip:"+ip.String())
	}
	return names
}
