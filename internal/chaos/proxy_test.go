package chaos_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/internal/chaos"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// setup returns a proxy before a server that answers each line with the same, and
// what the server has received.
func setup(t *testing.T) (*chaos.Proxy, <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	received := make(chan string, 100)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = conn.Close() }()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					received <- lines.Text()
					_, _ = fmt.Fprintln(conn, lines.Text())
				}
			})
		}
	})
	p, err := chaos.New(listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() {
		p.Close()
		_ = listener.Close()
		serving.Wait()
	})
	return p, received
}

type client struct {
	net.Conn
	lines *bufio.Reader
}

func dial(t *testing.T, p *chaos.Proxy) *client {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	return &client{conn, bufio.NewReader(conn)}
}

func (c *client) say(t *testing.T, text string) {
	t.Helper()
	_, err := fmt.Fprintln(c, text)
	require.NoError(t, err)
}

func (c *client) hears(t *testing.T, text string) {
	t.Helper()
	line, err := c.lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, text+"\n", line)
}

func TestPasses(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	c := dial(t, p)
	for _, text := range []string{"a", "b"} {
		c.say(t, text)
		c.hears(t, text)
	}
	p.Delay(time.Millisecond)
	c.say(t, "slowly")
	c.hears(t, "slowly")
}

func TestHeldBytesArriveLate(t *testing.T) {
	t.Parallel()
	p, received := setup(t)
	c, gone := dial(t, p), dial(t, p)
	c.say(t, "before")
	c.hears(t, "before")
	require.Equal(t, "before", <-received)
	p.Hold()
	p.Hold()
	c.say(t, "held")
	gone.say(t, "from somebody who gave up")
	require.NoError(t, gone.Close())
	require.Empty(t, received)
	p.Heal()
	require.ElementsMatch(t, []string{"held", "from somebody who gave up"},
		[]string{<-received, <-received})
	c.hears(t, "held")
}

func TestAnswersAreLostAfterTheyWereActedOn(t *testing.T) {
	t.Parallel()
	p, received := setup(t)
	p.LoseAnswers(1)
	c := dial(t, p)
	c.say(t, "do it")
	_, err := c.lines.ReadString('\n')
	require.Error(t, err)
	require.Equal(t, "do it", <-received)
	require.Equal(t, 1, p.Lost())
	c = dial(t, p)
	c.say(t, "again")
	c.hears(t, "again")
}

func TestCutAndRefuse(t *testing.T) {
	t.Parallel()
	p, _ := setup(t)
	c := dial(t, p)
	c.say(t, "a")
	c.hears(t, "a")
	p.Cut()
	_, err := c.lines.ReadString('\n')
	require.Error(t, err)
	p.Refuse()
	refused(t, p)
	p.Heal()
	c = dial(t, p)
	c.say(t, "b")
	c.hears(t, "b")
	p, err = chaos.New("127.0.0.1:1") // nobody is there
	require.NoError(t, err)
	defer p.Close()
	refused(t, p)
}

// refused: a connection is reset at once, or before it is there.
func refused(t *testing.T, p *chaos.Proxy) {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err)
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	p, received := setup(t)
	c := dial(t, p)
	c.say(t, "a")
	c.hears(t, "a")
	<-received
	p.HalfClose()
	_, err := c.lines.ReadString('\n')
	require.ErrorIs(t, err, io.EOF)
	c.say(t, "still heard")
	require.Equal(t, "still heard", <-received)
}
