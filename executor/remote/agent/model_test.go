package agent_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A model is a daemon that gets any requests in any order, from engines old and new,
// while its journal fails, is begun anew, and the daemon is replaced by others. What
// must hold is that no key starts twice, that none starts that was closed, that an
// outcome stays what it is, and that there is never more than there is room for.
type model struct {
	tb    testing.TB
	dir   string
	world *world
	url   string // of a server that goes on

	dice   sync.Mutex // guards random; nothing else is locked under it
	random *rand.Rand

	mu     sync.Mutex // guards the following
	daemon *daemon
	disk   *fragile
	told   map[string]bool // keys of which a success was told
	closed map[string]int  // starts of keys when they were closed

	turn sync.RWMutex // held for writing while the daemon is replaced
}

func (m *model) IntN(n int) int {
	m.dice.Lock()
	defer m.dice.Unlock()
	return m.random.IntN(n)
}

const modelCores = 4

func (m *model) boot() {
	m.disk = &fragile{}
	a, err := agent.NewWithStore(context.Background(), agent.Config{
		Dir: m.dir, Executor: m.world, Node: "node",
		Auth:     agent.Auth{InsecureLoopback: true},
		Capacity: capacity.Resources{dag.Cores: modelCores, dag.MemoryMB: 1},
	}, func(s agent.Store) agent.Store {
		m.disk.Store = s
		return m.disk
	})
	require.NoError(m.tb, err)
	m.daemon = &daemon{a, m.url}
}

func (m *model) end() {
	m.disk.full.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(m.tb, m.daemon.Shutdown(ctx))
}

// ServeHTTP has the daemon answer that there is now.
func (m *model) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.turn.RLock()
	defer m.turn.RUnlock()
	m.daemon.ServeHTTP(w, r)
}

func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			m := &model{
				tb: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 1)),
				told: map[string]bool{}, closed: map[string]int{},
			}
			m.world = newWorld(modelCores, func() bool { return m.IntN(10) == 0 })
			server := httptest.NewServer(m)
			defer server.Close()
			m.url = server.URL
			m.boot()
			m.play()
			m.finish()
		})
	}
}

// play has engines make requests, and the daemon replaced now and then.
func (m *model) play() {
	const engines, requests, lives = 4, 150, 6
	var playing sync.WaitGroup
	over := make(chan struct{})
	for e := range engines {
		playing.Go(func() {
			for range requests {
				m.request(fmt.Sprintf("engine%d", e))
			}
		})
	}
	go func() {
		playing.Wait()
		close(over)
	}()
	for life := 0; ; life++ {
		select {
		case <-over:
			return
		case <-time.After(time.Duration(5+m.IntN(30)) * time.Millisecond):
		}
		m.disturb(life < lives)
	}
}

func (m *model) disturb(replace bool) {
	m.world.endSome(func() bool { return m.IntN(3) == 0 })
	switch m.IntN(6) {
	case 0:
		m.disk.full.Store(true)
		<-time.After(10 * time.Millisecond)
		m.disk.full.Store(false)
	case 1:
		m.disk.ambiguous.Store(true)
	case 2:
		if err := m.daemon.Rotate(); err != nil {
			m.tb.Log("rotate: ", err)
		}
	case 3:
		m.daemon.CheckLeases(agent.SinceBoot() + 2*time.Hour)
	default:
		if !replace {
			return
		}
		m.turn.Lock()
		defer m.turn.Unlock()
		m.end()
		m.boot()
	}
}

const modelKeys = 60

func modelJob(resumed bool, lease int) string {
	return fmt.Sprintf(`{"resumed":%v,"leaseSeconds":%d,"job":{"command":["x"]}}`, resumed, lease)
}

// request makes any request, and looks at the answer.
func (m *model) request(session string) {
	key := fmt.Sprintf("r-0-%d-1", m.IntN(modelKeys))
	path := wire.PathTask + key
	switch n := m.IntN(20); {
	case n < 10:
		m.submit(session, key)
	case n < 13:
		m.look(m.daemon.ask(m.tb, "", http.MethodGet, path, ""))
	case n < 14:
		starts := m.startsOf(key)
		got := m.daemon.ask(m.tb, session, http.MethodDelete, path, "")
		m.look(got)
		if got.status == http.StatusOK && got.state(m.tb).State == wire.Closed {
			m.mu.Lock()
			if _, there := m.closed[key]; !there {
				m.closed[key] = max(starts, m.startsOf(key))
			}
			m.mu.Unlock()
		}
	case n < 16:
		m.daemon.ask(m.tb, session, http.MethodPost, wire.PathAck, `{"keys":["`+key+`"]}`)
	case n < 18:
		m.daemon.ask(m.tb, session, http.MethodPost, wire.PathRenew, `{"keys":["`+key+`"]}`)
	default:
		m.world.endSome(func() bool { return m.IntN(4) == 0 })
	}
}

func (m *model) startsOf(key string) int {
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	return m.world.starts[key]
}

func (m *model) submit(session, key string) {
	m.mu.Lock()
	_, closed := m.closed[key]
	told := m.told[key]
	m.mu.Unlock()
	got := m.daemon.put(m.tb, session, key, modelJob(m.IntN(2) == 0, 3600*m.IntN(2)))
	switch got.status {
	case http.StatusCreated:
		require.False(m.tb, closed, "a closed key was taken: %s", key)
		require.False(m.tb, told, "a key that has ended was taken: %s", key)
	case http.StatusOK:
		require.False(m.tb, closed, "a closed key was known: %s %s", key, got.body)
		m.look(got)
	case http.StatusGone, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		require.Fail(m.tb, "an answer that nobody expects", "%d %s", got.status, got.body)
	}
}

// look remembers outcomes, and compares them with what was told before.
func (m *model) look(got answer) {
	if got.status != http.StatusOK {
		return
	}
	st := got.state(m.tb)
	if st.State != wire.Ended {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	success := st.Outcome.Failure == nil && st.Outcome.Result.OK()
	if m.told[st.Key] {
		require.True(m.tb, success, "a success is none any more: %+v", st.Outcome)
	}
	if success {
		m.told[st.Key] = true
		require.Equal(m.tb, "out of "+st.Key, string(st.Outcome.Stdout))
	}
}

// finish has everything end, and looks at what there was.
func (m *model) finish() {
	deadline := time.Now().Add(patience)
	for i := range modelKeys {
		key := fmt.Sprintf("r-0-%d-1", i)
		for {
			require.True(m.tb, time.Now().Before(deadline), "it does not end: %s", key)
			got := m.daemon.put(m.tb, "last", key, modelJob(true, 0))
			m.world.endSome(func() bool { return true })
			if got.status == http.StatusGone {
				break
			}
			got = m.daemon.ask(m.tb, "", http.MethodGet, wire.PathTask+key+"?wait=10ms", "")
			if got.status == http.StatusOK && got.state(m.tb).State == wire.Ended {
				break
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(m.tb, m.daemon.Drain(ctx))
	for _, n := range m.daemon.Allocator().Nodes() {
		require.Zero(m.tb, n.Leases)
	}
	m.end()
	m.world.mu.Lock()
	defer m.world.mu.Unlock()
	require.Empty(m.tb, m.world.wrong)
	for key, n := range m.world.starts {
		require.Equal(m.tb, 1, n, key)
	}
	for key, n := range m.closed {
		require.Equal(m.tb, n, m.world.starts[key], "it was started after it was closed: %s", key)
	}
}
