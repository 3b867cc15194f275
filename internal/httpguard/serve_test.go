package httpguard_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/httpguard"
	"github.com/daggy-go/daggy/internal/httpguard/guardtest"
)

// dial opens a connection of its own.
func dial(tb testing.TB, address string) net.Conn {
	tb.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	require.NoError(tb, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// A client that sends its header a byte at a time is cut off, and keeps nobody.
func TestSlowHeader(t *testing.T) {
	t.Parallel()
	d := start(t, tokenAuth(t), httpguard.Listening{}, hello())
	slow := dial(t, d.address)
	_, err := io.WriteString(slow, "GET /ready HTTP/1.1\r\nHost: localhost\r\n")
	require.NoError(t, err)
	gone := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, slow)
		gone <- err
	}()
	client := newClient(t, &http.Transport{})
	for i := 0; ; i++ {
		select {
		case err := <-gone:
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it was never cut off")
			return
		case <-time.After(200 * time.Millisecond):
		}
		if _, err := fmt.Fprintf(slow, "X-%d: slow\r\n", i); err == nil {
			status, _ := send(t, client,
				request(t, httpguard.Public, http.MethodGet, "http://"+d.address+"/ready", nil))
			require.Equal(t, http.StatusOK, status)
		}
	}
}

// A stranger who announces a body and does not send it is answered at once, and
// does not keep the connection.
func TestStrangersBodyIsNotAwaited(t *testing.T) {
	t.Parallel()
	d := start(t, tokenAuth(t), httpguard.Listening{}, unreachable(t))
	for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
		conn := dial(t, d.address)
		_, err := io.WriteString(conn, "PUT /api/v1/task/x HTTP/1.1\r\nHost: localhost\r\n"+
			"Content-Type: application/json\r\n"+length+"\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err, "the connection was kept")
		require.Contains(t, string(answer), "HTTP/1.1 401 ")
		require.Contains(t, string(answer), `{"error":`)
	}
}

// zeros is an endless body that counts what was taken of it.
type zeros struct{ taken atomic.Int64 }

func (z *zeros) Read(p []byte) (int, error) {
	z.taken.Add(int64(len(p)))
	clear(p)
	return len(p), nil
}

func TestGigabyteBodies(t *testing.T) {
	t.Parallel()
	const gigabyte = 1 << 30
	var read atomic.Int64
	d := start(t, tokenAuth(t), httpguard.Listening{}, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			read.Add(n)
			var long *http.MaxBytesError
			if !errors.As(err, &long) {
				t.Errorf("want a MaxBytesError, got %v", err)
			}
			httpguard.WriteError(w, err)
		}))
	for _, tc := range []struct {
		name   string
		role   httpguard.Role
		length int64
		status int
		read   int64 // by the handler
	}{
		{"announced", httpguard.Submit, gigabyte, http.StatusRequestEntityTooLarge, 0},
		{"in chunks", httpguard.Submit, -1, http.StatusRequestEntityTooLarge, 1 << 20},
		{"by a stranger", httpguard.Public, -1, http.StatusUnauthorized, 0},
		{"announced by a stranger", httpguard.Public, gigabyte, http.StatusUnauthorized, 0},
		{"of a lower role", httpguard.Read, -1, http.StatusForbidden, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			read.Store(0)
			sent := &zeros{}
			r := request(t, tc.role, http.MethodPut, "http://"+d.address+"/api/v1/task/x",
				io.LimitReader(sent, gigabyte))
			r.ContentLength = tc.length
			client := newClient(t, &http.Transport{})
			status, body := sendHuge(t, client, r, sent)
			require.Equal(t, tc.status, status)
			require.Contains(t, body, `{"error":`)
			require.Equal(t, tc.read, read.Load())
			// What the sockets hold is sent too.
			require.Less(t, sent.taken.Load(), int64(64<<20))
		})
	}
}

// sendHuge sends what the server stops reading, in which case clients may see the
// connection break before they see the answer; they try again.
func sendHuge(tb testing.TB, c *http.Client, r *http.Request, sent *zeros) (int, string) {
	tb.Helper()
	for until := time.Now().Add(patience); ; {
		sent.taken.Store(0)
		again := r.Clone(r.Context())
		answer, err := c.Do(again)
		if err == nil {
			defer func() { _ = answer.Body.Close() }()
			body, err := io.ReadAll(answer.Body)
			require.NoError(tb, err)
			return answer.StatusCode, string(body)
		}
		require.True(tb, time.Now().Before(until), "never answered: %v", err)
	}
}

// Answers may be streams: they flush, and each write has its deadline.
func TestStreams(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	d := start(t, tokenAuth(t), httpguard.Listening{}, http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			control := http.NewResponseController(w)
			for i := range 3 {
				if err := control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
					t.Error(err)
				}
				_, _ = fmt.Fprintln(w, i)
				if err := control.Flush(); err != nil {
					t.Error(err)
				}
				<-next
			}
		}))
	answer, err := newClient(t, &http.Transport{}).Do(
		request(t, httpguard.Read, http.MethodGet, "http://"+d.address+"/api/v1/capacity", nil))
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewScanner(answer.Body)
	for i := range 3 {
		require.True(t, lines.Scan())
		require.Equal(t, fmt.Sprint(i), lines.Text())
		next <- struct{}{}
	}
	require.False(t, lines.Scan())
	require.NoError(t, lines.Err())
}

// A client that reads nothing ends the stream, if the handler says so.
func TestStreamsThatNobodyReads(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	d := start(t, tokenAuth(t), httpguard.Listening{}, http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			control := http.NewResponseController(w)
			for {
				_ = control.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					ended <- err
					return
				}
			}
		}))
	conn := dial(t, d.address)
	_, err := io.WriteString(conn, "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	select {
	case err := <-ended:
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	case <-time.After(patience):
		require.Fail(t, "the handler still writes")
	}
}

// No more connections than allowed are served; the others wait.
func TestConnectionsAreCapped(t *testing.T) {
	t.Parallel()
	var busy, most atomic.Int32
	release := make(chan struct{})
	d := start(t, tokenAuth(t), httpguard.Listening{MaxConns: 2}, http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) {
			most.Store(max(most.Load(), busy.Add(1)))
			<-release
			busy.Add(-1)
		}))
	done := make(chan int, 5)
	for range cap(done) {
		go func() {
			conn, err := net.Dial("tcp", d.address)
			if err != nil {
				done <- 0
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = io.WriteString(conn,
				"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			answer, _ := io.ReadAll(conn)
			done <- strings.Count(string(answer), "HTTP/1.1 200 ")
		}()
	}
	eventually(t, "two are served", func() bool { return busy.Load() == 2 })
	// That a third one never comes cannot be waited for; that it did would show.
	for range cap(done) {
		release <- struct{}{}
	}
	for range cap(done) {
		require.Equal(t, 1, <-done)
	}
	require.EqualValues(t, 2, most.Load())
}

// What is being answered is answered to its end; what comes later is not.
func TestServingEnds(t *testing.T) {
	t.Parallel()
	reached, release := make(chan struct{}), make(chan struct{})
	d := start(t, tokenAuth(t), httpguard.Listening{Grace: patience}, http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			close(reached)
			<-release
			if r.Context().Err() != nil {
				t.Error("the request was ended")
			}
			_, _ = io.WriteString(w, "whole")
		}))
	type outcome struct {
		body string
		err  error
	}
	got := make(chan outcome, 1)
	client := newClient(t, &http.Transport{})
	r := request(t, httpguard.Public, http.MethodGet, "http://"+d.address+"/ready", nil)
	go func() {
		answer, err := client.Do(r)
		if err != nil {
			got <- outcome{"", err}
			return
		}
		defer func() { _ = answer.Body.Close() }()
		body, err := io.ReadAll(answer.Body)
		got <- outcome{string(body), err}
	}()
	<-reached
	stopped := make(chan error, 1)
	go func() { stopped <- d.stop() }()
	eventually(t, "it does not listen any more", func() bool {
		conn, err := net.Dial("tcp", d.address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	close(release)
	require.Equal(t, outcome{"whole", nil}, <-got)
	require.NoError(t, <-stopped)
}

// What does not end is ended, and Serve says so.
func TestServingEndsByForce(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	d := start(t, tokenAuth(t), httpguard.Listening{Grace: -1}, http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			close(reached)
			<-r.Context().Done()
		}))
	conn := dial(t, d.address)
	_, err := io.WriteString(conn, "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
	require.NoError(t, err)
	<-reached
	require.ErrorContains(t, d.stop(), "cut off")
	answer, err := io.ReadAll(conn)
	require.Empty(t, answer)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// What is malformed, before it is a request that the guard sees, gets no further.
func TestMalformed(t *testing.T) {
	t.Parallel()
	d := start(t, tokenAuth(t), httpguard.Listening{}, unreachable(t))
	submit := "PUT /api/v1/task/x HTTP/1.1\r\nHost: localhost\r\n" +
		"Content-Type: application/json\r\n" +
		"Authorization: Bearer " + guardtest.Tokens()[httpguard.Submit] + "\r\n"
	for _, tc := range []struct{ name, text, want string }{
		{"no host", "GET /ready HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "},
		{"old, no host", "GET /ready HTTP/1.0\r\n\r\n", "HTTP/1.0 421 "},
		{"two hosts", "GET /ready HTTP/1.1\r\nHost: localhost\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
		{
			"absolute", "GET http://evil.example/ready HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"HTTP/1.1 421 ",
		},
		{"connect", "CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 401 "},
		{"options", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 401 "},
		{
			"huge header", "GET /ready HTTP/1.1\r\nHost: localhost\r\nX: " +
				strings.Repeat("x", 100<<10) + "\r\n\r\n", "HTTP/1.1 431 ",
		},
		{"garbage", "\x16\x03\x01\x02\x00\x01\r\n\r\n", "HTTP/1.1 400 "},
		{"two lengths", submit + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 "},
		{"odd coding", submit + "Transfer-Encoding: nonsense\r\n\r\n", "HTTP/1.1 501 "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, d.address)
			_, _ = io.WriteString(conn, tc.text) // it may be cut off before the end
			_ = conn.(*net.TCPConn).CloseWrite()
			answer, _ := io.ReadAll(conn)
			require.Equal(t, tc.want, string(answer[:min(len(answer), len(tc.want))]))
		})
	}
}

// Closing ends an Accept that waits for a connection to be closed.
func TestCloseEndsWaiting(t *testing.T) {
	t.Parallel()
	g := guard(t, io.Discard, hello())
	l, err := g.Listen(t.Context(), httpguard.Listening{Address: "127.0.0.1:0", MaxConns: 1})
	require.NoError(t, err)
	dial(t, l.Addr().String())
	dial(t, l.Addr().String())
	conn, err := l.Accept()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	require.NoError(t, l.Close())
	select {
	case err := <-ended:
		require.ErrorIs(t, err, net.ErrClosed)
	case <-time.After(patience):
		require.Fail(t, "it still waits")
	}
	require.NoError(t, conn.Close())
}
