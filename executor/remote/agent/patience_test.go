package agent_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

// pipes are a listener of connections in memory, for virtual time.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.done)
	return nil
}

// local is as if it came through a unix socket.
type local struct{ net.Conn }

func (local) LocalAddr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "memory"} }

func (p pipes) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "memory"} }

// A client that reads nothing any more is given up, whatever it has asked for, and one
// that reads slowly is not.
func TestClientsThatDoNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, err := agent.New(t.Context(), agent.Config{
			Ephemeral: true, Dir: t.TempDir(), Node: "node",
			Auth:     agent.Auth{InsecureLoopback: true},
			Capacity: capacity.Resources{dag.Cores: 1000, dag.MemoryMB: 1000},
			Executor: executor.RunFunc(
				func(_ context.Context, at *executor.Attempt) (executor.Result, error) {
					_, err := at.Stdout.Write(make([]byte, 8<<20))
					return executor.Result{}, err
				}),
		})
		require.NoError(t, err)
		p := pipes{make(chan net.Conn), make(chan struct{})}
		l, err := a.Guard().Adopt(p, agent.Listening{})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- a.ServeListener(ctx, l, nil) }()
		defer func() {
			require.NoError(t, a.Shutdown(t.Context()))
			cancel()
			require.NoError(t, <-served)
		}()
		ask := func(text string) (net.Conn, *http.Response, *bufio.Reader) {
			here, there := net.Pipe()
			p.conns <- local{there}
			_, err := io.WriteString(here, text)
			require.NoError(t, err)
			in := bufio.NewReader(here)
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			return here, resp, in
		}
		const headers = " HTTP/1.1\r\nHost: localhost\r\nDaggy-Session: s\r\n" +
			"Content-Type: application/json\r\n"
		//nolint:bodyclose // its connection is
		conn, resp, _ := ask("PUT /api/v1/task/k" + headers +
			"Content-Length: 10\r\n\r\n{\"job\":{}}")
		require.Equal(t, http.StatusCreated, resp.StatusCode)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.NoError(t, conn.Close())
		synctest.Wait()

		//nolint:bodyclose // its connection is
		silent, resp, _ := ask("GET /api/v1/task/k/stdout" + headers + "\r\n")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		<-time.After(5 * time.Minute)
		_, err = io.ReadAll(resp.Body)
		require.Error(t, err)
		require.NoError(t, silent.Close())

		lines := strings.Repeat("{}\n", 10_000)
		stuck, there := net.Pipe()
		p.conns <- local{there}
		_, err = io.WriteString(stuck, "POST /api/v1/tasks"+headers+
			"Content-Length: 30000\r\n\r\n"+lines)
		require.ErrorIs(t, err, io.ErrClosedPipe, "the answers are not read")
		require.NoError(t, stuck.Close())

		//nolint:bodyclose // its connection is
		slow, resp, in := ask("GET /api/v1/task/k/stdout" + headers + "\r\n")
		size := int64(0)
		for err = nil; err == nil; <-time.After(10 * time.Second) {
			var n int64
			n, err = io.CopyN(io.Discard, resp.Body, 1<<20)
			size += n
		}
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, int64(8<<20), size)
		// Nothing is left of that deadline for what is asked for later.
		<-time.After(time.Minute)
		_, err = io.WriteString(slow, "GET /api/v1/task/k"+headers+"\r\n")
		require.NoError(t, err)
		//nolint:bodyclose // its connection is
		resp, err = http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NoError(t, slow.Close())
	})
}
