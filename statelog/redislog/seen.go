package redislog

import (
	"strconv"
	"sync"
)

// An end is a place in a run where a batch ends.
type end struct {
	seq uint64 // of the batch's last record; 0: none
	// nonce of the batch, and of the first one of the run.
	nonce, first string
}

// args are the end as scripts take it.
func (e end) args() (seq, nonce, first string) {
	if e.seq == 0 {
		return "", "", ""
	}
	return strconv.FormatUint(e.seq, 10), e.nonce, e.first
}

// keepSeen is how many runs are remembered at least.
const keepSeen = 1 << 15

// A memory has what a Log was told of the ends of runs. A server that says less
// than it said has lost records. The runs that were not asked for longest are
// forgotten when there are too many.
type memory struct {
	// mu guards the fields below.
	mu          sync.Mutex
	young, aged map[string]end
	// unsettled has the batches whose fate is unknown: the highest count of
	// those that were sent to a run.
	unsettled map[string]uint64
}

func (m *memory) seen(run string) end {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.young[run]
	if !ok {
		if e, ok = m.aged[run]; ok {
			m.put(run, e)
		}
	}
	return e
}

// see takes note of what the server said. What it said later may be heard
// earlier.
func (m *memory) see(run string, e end) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.young[run]
	if !ok {
		old = m.aged[run]
	}
	if old.seq < e.seq || old.first != e.first {
		m.put(run, e)
	}
}

func (m *memory) put(run string, e end) {
	if m.young == nil || len(m.young) >= keepSeen {
		m.aged, m.young = m.young, make(map[string]end)
	}
	m.young[run] = e
}

// forget is for runs that were removed.
func (m *memory) forget(run string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, run)
	delete(m.aged, run)
}

func (m *memory) unsettle(run string, count uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unsettled == nil {
		m.unsettled = make(map[string]uint64)
	}
	m.unsettled[run] = max(m.unsettled[run], count)
}

// toSettle returns 0 if there is nothing.
func (m *memory) toSettle(run string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.unsettled[run]
}

func (m *memory) settled(run string, count uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unsettled[run] == count {
		delete(m.unsettled, run)
	}
}
