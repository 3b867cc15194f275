package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

const (
	dialPatience = 10 * time.Second
	maxProblem   = 64 << 10 // bytes of an answer that is no success
	maxConns     = 16       // to one node, and as many for outputs
)

// An endpoint makes requests to one daemon.
type endpoint struct {
	name    string
	address address
	session string
	client  *http.Client
	// outputs is for what may stand still for as long as a writer does. It has
	// connections of its own, so that nothing else waits for those.
	outputs *http.Client
	file    string // of the token

	mu     sync.Mutex // guards the following
	token  string
	ticket string
	heard  time.Time // when the last ticket was got
}

func newEndpoint(n Node, session string) (*endpoint, error) {
	at, err := n.address()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		// Which leaves out loopback.
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: dialPatience}).DialContext,
		TLSClientConfig:        n.TLS,
		TLSHandshakeTimeout:    dialPatience,
		DisableCompression:     true,
		MaxConnsPerHost:        maxConns,
		MaxIdleConnsPerHost:    maxConns,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	if n.TLS != nil {
		transport.TLSClientConfig = n.TLS.Clone()
	}
	switch {
	case n.Dial != nil:
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return n.Dial(ctx)
		}
	case at.socket != "":
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialPatience}).DialContext(ctx, "unix", at.socket)
		}
	}
	return &endpoint{
		name: n.Name, address: at, session: session, token: n.Token, file: n.TokenFile,
		client: newClient(transport), outputs: newClient(transport.Clone()),
	}, nil
}

func newClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport: t,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

func (p *endpoint) close() {
	p.client.CloseIdleConnections()
	p.outputs.CloseIdleConnections()
}

// refresh reads the file of the token again.
func (p *endpoint) refresh() error {
	if p.file == "" {
		return nil
	}
	info, err := os.Stat(p.file)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return fmt.Errorf("token file %s: others have access to it (mode %#o); make it 0600",
			p.file, mode)
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	token, err := firstToken(data)
	if err != nil {
		return fmt.Errorf("token file %s: %w", p.file, err)
	}
	p.mu.Lock()
	p.token = token
	p.mu.Unlock()
	return nil
}

// firstToken finds the first token that may submit, in a file as daemons have it, with
// a role and a token a line, or one that has nothing but the token.
func firstToken(data []byte) (string, error) {
	for line := range bytes.Lines(data) {
		text, _, _ := strings.Cut(string(line), "#")
		words := strings.Fields(text)
		if len(words) == 0 || len(words) == 2 && words[0] == "read" {
			continue
		}
		token := words[len(words)-1]
		if len(words) > 2 || strings.HasPrefix(token, "sha256:") {
			return "", errors.New("want a token, or a role and a token, on its first line")
		}
		return token, nil
	}
	return "", errors.New("there is no token in it that may submit")
}

// A request is what is asked of a daemon.
type request struct {
	method, path string
	body         []byte
	stream       io.Reader // in place of body: lines of JSON, as they come
	output       bool      // it asks for an output,
	offset       int64     // from this byte
	journal      string    // of the daemon that it is for. "": of any
}

// A peer is the daemon at an endpoint that has this journal. What it is asked for is
// done by no other one.
type peer struct {
	*endpoint
	journal string
}

func (p peer) do(ctx context.Context, r request) (*http.Response, error) {
	r.journal = p.journal
	return p.endpoint.do(ctx, r)
}

func (p peer) fetch(ctx context.Context, r request, to any) error {
	r.journal = p.journal
	return p.endpoint.fetch(ctx, r, to)
}

// A statusError is an answer that is no success.
type statusError struct {
	Status  int
	Problem wire.Problem
}

// definite reports whether the daemon itself says what became of a submission: it has
// a word for whatever it refuses. Anything else comes from something in between.
func (e *statusError) definite() bool {
	switch e.Problem.Code {
	case "":
		return false
	case wire.CodeJournal, wire.CodeEnding:
		return true
	}
	return e.Status < http.StatusInternalServerError
}

// elsewhere reports whether the daemon is another than the one that was asked, and has
// done nothing.
func (e *statusError) elsewhere() bool { return e.Problem.Code == wire.CodeElsewhere }

func (e *statusError) Error() string {
	switch p := &e.Problem; {
	case p.Text == "":
		return fmt.Sprintf("it answers %d %s", e.Status, http.StatusText(e.Status))
	case p.Hint == "":
		return fmt.Sprintf("it answers %d: %s", e.Status, p.Text)
	default:
		return fmt.Sprintf("it answers %d: %s; %s", e.Status, p.Text, p.Hint)
	}
}

// do makes a request. The error is a *statusError, or nothing is known of what the
// daemon did.
func (p *endpoint) do(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		body = bytes.NewReader(r.body)
	} else if r.stream != nil {
		body = r.stream
	}
	req, err := http.NewRequestWithContext(ctx, r.method, p.address.base+r.path, body)
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // otherwise net/http would send it again by itself, unnoticed
	p.headers(req.Header, &r)
	client := p.client
	if r.output {
		client = p.outputs
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	p.noteTicket(resp.Header.Get(wire.HeaderTicket))
	if err := p.judge(resp); err != nil {
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusUnauthorized {
			// It was replaced while the stream went on, which is let in once. If it
			// cannot be read, the answer says enough.
			_ = p.refresh()
		}
		return nil, err
	}
	return resp, nil
}

func (p *endpoint) headers(h http.Header, r *request) {
	h[wire.HeaderProtocol] = []string{strconv.Itoa(wire.Version)}
	h[wire.HeaderSession] = []string{p.session}
	h["User-Agent"] = []string{"daggy"}
	if r.method == http.MethodPost {
		kind := "application/json"
		if r.stream != nil {
			kind = "application/x-ndjson"
		}
		h["Content-Type"] = []string{kind}
	}
	if r.journal != "" {
		h[wire.HeaderJournal] = []string{r.journal}
	}
	if r.offset > 0 {
		h["Range"] = []string{"bytes=" + strconv.FormatInt(r.offset, 10) + "-"}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ticket != "" {
		h[wire.HeaderTicket] = []string{p.ticket}
	}
	if p.token != "" {
		h["Authorization"] = []string{"Bearer " + p.token}
	}
}

// noteTicket keeps the newest ticket. It was issued before now.
func (p *endpoint) noteTicket(ticket string) {
	if ticket == "" || len(ticket) > wire.MaxTicket {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ticket, p.heard = ticket, time.Now()
}

// lastHeard is when the last ticket was got. Zero: there was none.
func (p *endpoint) lastHeard() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.heard
}

// judge makes an error of an answer that is no success.
func (p *endpoint) judge(resp *http.Response) error {
	if v := resp.Header.Get(wire.HeaderProtocol); v != "" && v != strconv.Itoa(wire.Version) {
		return &versionError{v}
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	e := &statusError{Status: resp.StatusCode}
	// What is no JSON comes from something in between; the status has to do.
	if data, err := io.ReadAll(io.LimitReader(resp.Body, maxProblem)); err == nil {
		_ = json.Unmarshal(data, &e.Problem)
	}
	return e
}

// fetch makes a request and reads the answer.
func (p *endpoint) fetch(ctx context.Context, r request, to any) error {
	ctx, cancel := context.WithTimeout(ctx, requestPatience)
	defer cancel()
	resp, err := p.do(ctx, r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if to == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, wire.MaxLine))
		return err
	}
	return wire.Decode(resp.Body, to)
}

// A versionError is a daemon that speaks another version.
type versionError struct{ theirs string }

func (e *versionError) Error() string {
	return fmt.Sprintf("it speaks version %s of the protocol, this program version %d",
		e.theirs, wire.Version)
}
