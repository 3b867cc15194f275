package httpguard_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// A pipeline is a listener of connections in memory, for virtual time.
type pipeline struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (p *pipeline) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipeline) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipeline) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "memory"} }

// inMemory serves h in a bubble, and returns how to connect and how to stop.
func inMemory(t *testing.T, h http.Handler) (dial func() net.Conn, stop func()) {
	t.Helper()
	g := guard(t, io.Discard, h)
	p := &pipeline{conns: make(chan net.Conn), done: make(chan struct{})}
	l, err := g.Adopt(p, httpguard.Listening{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, l, nil) }()
	dial = func() net.Conn {
		here, there := net.Pipe()
		p.conns <- there
		return here
	}
	return dial, func() {
		cancel()
		require.NoError(t, <-served)
	}
}

func put(length string) string { return requestLine("PUT /api/v1/task/x", httpguard.JSON, length) }

func requestLine(what, contentType, length string) string {
	return what + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + contentType + "\r\n" +
		"Authorization: Bearer " + guardtest.Tokens()[httpguard.Submit] + "\r\n" +
		length + "\r\n\r\n"
}

// A body that stops coming is given up, one that is slow is not.
func TestBodyPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		dial, stop := inMemory(t, http.HandlerFunc(
			func(_ http.ResponseWriter, r *http.Request) {
				_, err := io.ReadAll(r.Body)
				ended <- err
			}))
		conn := dial()
		_, err := io.WriteString(conn, put("Content-Length: 100"))
		require.NoError(t, err)
		for range 10 {
			<-time.After(httpguard.BodyPatience - time.Second)
			_, err := io.WriteString(conn, "1234")
			require.NoError(t, err)
		}
		before := time.Now()
		require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
		require.Equal(t, httpguard.BodyPatience, time.Since(before))
		require.NoError(t, conn.Close())
		stop()
	})
}

// The patience for a body says nothing about the answer to it.
func TestLongAnswerToABody(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"Content-Length: 2", "Transfer-Encoding: chunked"} {
		synctest.Test(t, func(t *testing.T) {
			const hours = 3
			dial, stop := inMemory(t, http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil || string(body) != "{}" {
						t.Errorf("got %q, %v", body, err)
					}
					for range hours {
						select {
						case <-time.After(time.Hour):
						case <-r.Context().Done():
							t.Error(context.Cause(r.Context()))
							return
						}
						_, _ = fmt.Fprintln(w, "still")
						_ = http.NewResponseController(w).Flush()
					}
				}))
			conn := dial()
			body := "{}"
			if how[0] == 'T' {
				body = "2\r\n{}\r\n0\r\n\r\n"
			}
			_, err := io.WriteString(conn, put(how)+body)
			require.NoError(t, err)
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			lines := 0
			for s := bufio.NewScanner(answer.Body); s.Scan(); lines++ {
				require.Equal(t, "still", s.Text())
			}
			require.NoError(t, answer.Body.Close())
			require.Equal(t, hours, lines)
			require.NoError(t, conn.Close())
			stop()
		})
	}
}

// A body that the handler does not read does not keep the connection.
func TestBodyThatNobodyReads(t *testing.T) {
	t.Parallel()
	for _, what := range []string{
		requestLine("PUT /api/v1/task/x", httpguard.JSON, "Content-Length: 100"),
		requestLine("PUT /api/v1/task/x", httpguard.JSON, "Transfer-Encoding: chunked"),
		requestLine("POST /api/v1/stream", httpguard.NDJSON, "Transfer-Encoding: chunked"),
	} {
		synctest.Test(t, func(t *testing.T) {
			dial, stop := inMemory(t, http.HandlerFunc(
				func(w http.ResponseWriter, _ *http.Request) {
					_ = http.NewResponseController(w).EnableFullDuplex()
					_, _ = io.WriteString(w, "no more")
				}))
			conn := dial()
			_, err := io.WriteString(conn, what)
			require.NoError(t, err)
			began := time.Now()
			answer, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Contains(t, string(answer), "no more")
			require.LessOrEqual(t, time.Since(began), 3*time.Minute)
			require.NoError(t, conn.Close())
			stop()
		})
	}
}

// The body of a stream comes whenever it comes, as much as there is.
func TestStreamsOfCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dial, stop := inMemory(t, http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				control := http.NewResponseController(w)
				if err := control.EnableFullDuplex(); err != nil {
					t.Error(err)
				}
				buf := make([]byte, 1<<20)
				for {
					n, err := io.ReadFull(r.Body, buf)
					if err != nil {
						return
					}
					_, _ = fmt.Fprintln(w, n)
					_ = control.Flush()
				}
			}))
		conn := dial()
		_, err := io.WriteString(conn,
			requestLine("POST /api/v1/stream", httpguard.NDJSON, "Transfer-Encoding: chunked"))
		require.NoError(t, err)
		sent := make(chan error, 1)
		go func() {
			for range httpguard.DefaultMaxBody>>20 + 2 {
				<-time.After(time.Hour)
				_, err := fmt.Fprintf(conn, "100000\r\n%s\r\n", make([]byte, 1<<20))
				if err != nil {
					sent <- err
					return
				}
			}
			_, err := io.WriteString(conn, "0\r\n\r\n")
			sent <- err
		}()
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.NoError(t, <-sent)
		require.Equal(t, strings.Repeat("1048576\n", httpguard.DefaultMaxBody>>20+2), string(body))
		require.NoError(t, conn.Close())
		stop()
	})
}

// Connections that say nothing, or not enough, are closed.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dial, stop := inMemory(t, hello())
		began := time.Now()
		for _, text := range []string{
			"", "G", "GET /ready HTTP/1.1\r\n", "GET /ready HTTP/1.1\r\nHos",
		} {
			conn := dial()
			if text != "" {
				_, err := io.WriteString(conn, text)
				require.NoError(t, err)
			}
			_, err := io.Copy(io.Discard, conn)
			require.True(t, err == nil || errors.Is(err, io.ErrClosedPipe), "%v", err)
			require.NoError(t, conn.Close())
		}
		require.Less(t, time.Since(began), time.Minute)

		idle := dial()
		_, err := io.WriteString(idle, "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		began = time.Now()
		_, err = io.Copy(io.Discard, idle)
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, time.Since(began))
		require.NoError(t, idle.Close())
		stop()
	})
}
