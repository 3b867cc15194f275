package remote_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		c    remote.Config
		want []string
	}{
		"everything at once": {
			remote.Config{
				OnUnreachable: "never", Lease: time.Millisecond, Margin: -1,
				Nodes: []remote.Node{{URL: "http://127.0.0.1:1"}, {Name: "b", URL: "ftp://h"}},
			},
			[]string{"OnUnreachable", "Lease", "Margin", "has no name", "scheme"},
		},
		"for ever": {
			remote.Config{OnUnreachable: remote.Replace, Lease: 1<<63 - 1, Margin: 1 << 62},
			[]string{"Lease", "Margin"},
		},
		"plain HTTP elsewhere": {
			remote.Config{Nodes: []remote.Node{{Name: "a", URL: "http://example.com:80"}}},
			[]string{"this machine only"},
		},
		"a secret in the URL": {
			remote.Config{Nodes: []remote.Node{{Name: "a", URL: "http://u:p@localhost:80"}}},
			[]string{"TokenFile"},
		},
		"twice": {
			remote.Config{Nodes: []remote.Node{
				{Name: "a", URL: "http://localhost:1"}, {Name: "a", URL: "unix:///x"},
			}},
			[]string{`two nodes are called "a"`},
		},
		"relative socket": {
			remote.Config{Nodes: []remote.Node{{Name: "a", URL: "unix://x/y"}}},
			[]string{"absolute"},
		},
		"two tokens": {
			remote.Config{Nodes: []remote.Node{
				{Name: "a", URL: "http://localhost:1", Token: "t", TokenFile: "f"},
			}},
			[]string{"one of Token and TokenFile"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := remote.New(test.c)
			for _, want := range test.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "u:p")
		})
	}
}

func TestCapacityOfNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newDaemon(t, "a"), newDaemon(t, "b")
		b.set(func() { b.cut = true })
		e := open(t, remote.Config{}, a, b)
		nodes := e.Allocator().Nodes()
		require.True(t, nodes[0].Unknown && nodes[1].Unknown, "nothing is known yet: %v", nodes)
		synctest.Wait()
		nodes = e.Allocator().Nodes()
		require.Equal(t, cores(4), nodes[0].Free)
		require.True(t, nodes[1].Unknown)
		require.Contains(t, nodes[1].Suspended, errCut.Error())
		refused, ok := errors.AsType[*capacity.RefusedError](e.Allocator().Check(cores(100)))
		require.True(t, ok)
		require.False(t, refused.Never, "b may have that many")

		// Others take two cores, this engine one.
		a.set(func() {
			a.health.Capacity.Free, a.health.Capacity.Own = cores(1), cores(1)
		})
		synctest.Wait()
		nodes = e.Allocator().Nodes()
		require.Equal(t, cores(2), nodes[0].Taken)
		require.Equal(t, cores(4), nodes[0].Total)
		a.set(func() { a.health.Capacity.Draining = true })
		synctest.Wait()
		require.Contains(t, e.Allocator().Nodes()[0].Suspended, "drained")
		a.set(func() {
			a.health.Capacity.Draining, a.health.Capacity.Trouble = false, "no space left"
		})
		synctest.Wait()
		require.Equal(t, "no space left", e.Allocator().Nodes()[0].Suspended)
		a.set(func() { a.health.Capacity.Trouble = "" })
		b.set(func() { b.cut = false })
		require.NoError(t, e.Await(t.Context()))
		synctest.Wait()
		require.Empty(t, e.Allocator().Nodes()[0].Suspended)
		require.False(t, e.Allocator().Nodes()[1].Unknown)

		a.leaves()
		synctest.Wait()
		require.Contains(t, e.Allocator().Nodes()[0].Suspended, "not reached since")
		refused, _ = errors.AsType[*capacity.RefusedError](e.Allocator().Check(cores(5)))
		require.True(t, refused.Never, "a has only four")
	})
}

func TestNodesComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newDaemon(t, "a"), newDaemon(t, "b")
		e := open(t, remote.Config{}, a)
		synctest.Wait()
		require.NoError(t, e.Add(b.node()))
		require.Error(t, e.Add(b.node()), "there is one already")
		require.NoError(t, e.Await(t.Context()))
		require.Len(t, e.Allocator().Nodes(), 2)

		c := start(t, e, "a", "k1")
		synctest.Wait()
		require.True(t, e.Drain("a"))
		require.True(t, e.Allocator().Nodes()[0].Draining)
		require.True(t, e.Nodes()[0].Draining)
		require.True(t, e.Undrain("a"))
		require.False(t, e.Allocator().Nodes()[0].Draining)
		require.False(t, e.Drain("c"))

		require.True(t, e.Remove("a"))
		require.Len(t, e.Allocator().Nodes(), 2, "something is open there")
		require.ErrorContains(t, e.Add(a.node()), "open attempts: 1")
		a.completes(t, c)
		synctest.Wait()
		require.Len(t, e.Allocator().Nodes(), 1)
		require.Len(t, e.Nodes(), 1)
		require.False(t, e.Remove("a"))
		require.NoError(t, e.Add(a.node()))
		require.NoError(t, e.Await(t.Context()))
		require.Len(t, e.Nodes(), 2)

		// A machine that is off.
		c = start(t, e, "b", "k2")
		synctest.Wait()
		e.Gone("b")
		<-c.done
		isLost(t, c.err)
		synctest.Wait()
		require.Len(t, e.Allocator().Nodes(), 1)
	})
}

// What a stream says of a node that is being removed does not bring it back.
func TestRemovedNodesStayAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newDaemon(t, "a")
		e := open(t, remote.Config{}, a)
		for i := range 300 {
			synctest.Wait()
			key := "k" + strconv.Itoa(i)
			c := start(t, e, "a", key)
			synctest.Wait()
			require.True(t, e.Remove("a"))
			a.set(func() {
				a.alter(key, func(t *task) {
					t.state.State, t.state.Outcome = wire.Ended, &wire.Outcome{Inline: true}
				})
				a.health.Capacity.Free = cores(int64(i % 4))
			})
			<-c.done
			synctest.Wait()
			require.Empty(t, e.Allocator().Nodes())
			require.NoError(t, e.Add(a.node()))
		}
	})
}

// A node that leaves while a call of Run is on its way to it waits for that.
func TestNodeLeavesDuringRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newDaemon(t, "a"), newDaemon(t, "b")
		e := open(t, remote.Config{}, a)
		synctest.Wait()
		job := dag.Command("true")
		join, err := e.Begin(&executor.Attempt{Key: "k1", Node: "a", Job: job})
		require.NoError(t, err)
		require.True(t, e.Remove("a"))
		leave, err := join()
		require.NoError(t, err)
		synctest.Wait()
		require.True(t, a.knows("k1"))
		leave()
		require.Empty(t, e.Nodes())

		// One that is not in the fleet, and comes.
		join, err = e.Begin(&executor.Attempt{Key: "k2", Node: "b", Job: job, Resumed: true})
		require.NoError(t, err)
		require.NoError(t, e.Add(a.node()))
		leave, err = join()
		require.NoError(t, err)
		require.NoError(t, e.Add(b.node()))
		synctest.Wait()
		require.True(t, b.knows("k2"))
		leave()

		// What JSON cannot hold keeps no node.
		join, err = e.Begin(&executor.Attempt{Key: "k3", Node: "a", Job: dag.Command("\xff")})
		require.NoError(t, err)
		require.True(t, e.Remove("a"))
		_, err = join()
		require.Error(t, err)
		require.Len(t, e.Nodes(), 1)
	})
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		d.health.Protocol = 2
		e := open(t, remote.Config{}, d)
		synctest.Wait()
		require.Contains(t, e.Nodes()[0].Trouble,
			"it speaks version 2 of the protocol, this program version 1")
		require.Contains(t, e.Allocator().Check(nil).Error(), "version 2")
	})
}

// Tokens go to the URL that they are for and nowhere else.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
	}))
	defer other.Close()
	first := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first <- r.Header.Get("Authorization")
		http.Redirect(w, r, other.URL+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "token")
	tokens := "# mine\nread r-e-a-d\nsubmit s-e-c-r-e-t\n"
	require.NoError(t, os.WriteFile(file, []byte(tokens), 0o600))
	e, err := remote.New(remote.Config{Nodes: []remote.Node{{
		Name: "a", URL: server.URL, TokenFile: file,
	}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	require.Equal(t, "Bearer s-e-c-r-e-t", <-first)
	require.Eventually(t, func() bool {
		return strings.Contains(e.Nodes()[0].Trouble, "it answers 307")
	}, 10*time.Second, time.Millisecond)
	require.Empty(t, asked)
	require.NotContains(t, e.Nodes()[0].Trouble, "s-e-c-r-e-t")
}

func TestTokenFileOfOthers(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("s-e-c-r-e-t\n"), 0o600))
	require.NoError(t, os.Chmod(file, 0o644))
	e, err := remote.New(remote.Config{Nodes: []remote.Node{{
		Name: "a", URL: "http://127.0.0.1:1", TokenFile: file,
		Dial: func(context.Context) (net.Conn, error) { return nil, errors.New("dialled") },
	}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	require.Eventually(t, func() bool {
		return strings.Contains(e.Nodes()[0].Trouble, "make it 0600")
	}, 10*time.Second, time.Millisecond)
}

func TestWithoutALeasedNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := newDaemon(t, "a"), newDaemon(t, "b")
		one, two := open(t, remote.Config{}, a), open(t, remote.Config{}, a, b)
		c := start(t, one, "", "k1")
		synctest.Wait()
		a.completes(t, c)
		c = start(t, two, "", "k2")
		<-c.done
		require.ErrorContains(t, c.err, "no node was leased")
		c = start(t, one, "", "No Key")
		<-c.done
		require.ErrorContains(t, c.err, "key")
	})
}

// What a daemon says of itself before it says what is whose does not count what is
// this engine's as taken by others.
func TestReconnectingTakesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDaemon(t, "a")
		e := open(t, remote.Config{}, d)
		synctest.Wait()
		taken := 0
		defer e.Allocator().Notify(func() {
			if n := e.Allocator().Nodes(); len(n) > 0 && n[0].Taken != nil {
				taken++
			}
		})()
		d.set(func() {
			d.health.Capacity.Free, d.health.Capacity.Own = cores(1), cores(3)
		})
		d.hangUp()
		sleep(time.Minute)
		require.Zero(t, taken)
	})
}
