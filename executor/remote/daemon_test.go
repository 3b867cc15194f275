package remote_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// A daemon is the other end of the protocol in memory, on connections in memory. It
// runs nothing: the test says what happens. It is for what a real daemon does not do
// on demand, and for virtual time.
type daemon struct {
	server *http.Server
	name   string

	mu       sync.Mutex
	cut      bool // connections are refused
	silent   bool // nothing is answered, and nothing is heard
	conns    map[net.Conn]bool
	health   wire.Health
	tasks    map[string]*task
	rev      uint64
	changed  chan struct{}
	ticket   time.Time      // when the last one was issued
	asked    map[string]int // requests, by method and path
	requests []string       // the same, in order
	judge    func(*wire.Submission) *wire.Answer
	moved    map[string][]string // keys that a session has lost to another
	lose     int                 // answers to submissions that are lost after they were acted on
	// between answers in place of the daemon, as a proxy does, if it returns true.
	between func(http.ResponseWriter, *http.Request) bool
	accepts chan net.Conn
	ended   chan struct{}
	once    sync.Once
}

type task struct {
	sub     *wire.Submission
	session string
	state   wire.State
	out     [2][]byte
	starts  int
}

func newDaemon(t *testing.T, name string) *daemon {
	t.Helper()
	d := &daemon{
		name: name, conns: map[net.Conn]bool{}, tasks: map[string]*task{},
		changed: make(chan struct{}), asked: map[string]int{}, accepts: make(chan net.Conn),
		ended: make(chan struct{}), moved: map[string][]string{},
		health: wire.Health{
			Protocol: wire.Version, Journal: "j1", Boot: "b1", Start: "s1", Durable: true,
			LeaseHolds: true, StopSeconds: 5,
			Capacity: wire.Capacity{
				Node: name, Total: dag.Resources{dag.Cores: 4}, Free: dag.Resources{dag.Cores: 4},
			},
		},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/health", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		h := d.health
		h.Capacity.Own = nil // only in streams
		d.write(w, h)
	})
	mux.HandleFunc("POST /api/v1/tasks", d.submit)
	mux.HandleFunc("GET /api/v1/results", d.results)
	mux.HandleFunc("DELETE /api/v1/task/{key}", d.close)
	mux.HandleFunc("GET /api/v1/task/{key}", d.state)
	mux.HandleFunc("GET /api/v1/task/{key}/stdout", func(w http.ResponseWriter, r *http.Request) {
		d.output(w, r, 0)
	})
	mux.HandleFunc("GET /api/v1/task/{key}/stderr", func(w http.ResponseWriter, r *http.Request) {
		d.output(w, r, 1)
	})
	mux.HandleFunc("POST /api/v1/renew", d.renew)
	mux.HandleFunc("POST /api/v1/ack", d.ack)
	d.server = &http.Server{Handler: d.counted(mux), ErrorLog: log.New(io.Discard, "", 0)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = d.server.Serve(d) })
	t.Cleanup(func() {
		_ = d.server.Close()
		serving.Wait()
	})
	return d
}

// set changes something, with mu held.
func (d *daemon) set(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	d.change()
}

func (d *daemon) change() {
	close(d.changed)
	d.changed = make(chan struct{})
}

// tell changes the state of a key.
func (d *daemon) tell(key string, f func(*task)) {
	d.set(func() { d.alter(key, f) })
}

func (d *daemon) alter(key string, f func(*task)) {
	t := d.tasks[key]
	d.rev++
	f(t)
	t.state.Rev, t.state.Key = d.rev, key
	t.state.Stdout, t.state.Stderr = int64(len(t.out[0])), int64(len(t.out[1]))
}

func (d *daemon) runs(key string) { d.tell(key, func(t *task) { t.state.State = wire.Running }) }

// ends has a key end with this outcome, with its output inline if it says so.
func (d *daemon) ends(key string, o wire.Outcome) {
	d.tell(key, func(t *task) {
		if o.Inline {
			o.Stdout, o.Stderr = t.out[0], t.out[1]
		}
		t.state.State, t.state.Outcome = wire.Ended, &o
	})
}

func (d *daemon) count(what string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[what]
}

// log is all requests in order.
func (d *daemon) log() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.requests)
}

func (d *daemon) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		what := r.Method + " " + r.URL.Path
		d.asked[what]++
		d.requests = append(d.requests, what)
		d.mu.Unlock()
		if r.Header.Get(wire.HeaderProtocol) != "1" || r.Header.Get(wire.HeaderSession) == "" {
			panic("no protocol or session: " + what)
		}
		w.Header().Set(wire.HeaderProtocol, "1")
		d.mu.Lock()
		d.ticket = time.Now()
		d.mu.Unlock()
		w.Header().Set(wire.HeaderTicket, "t-"+strconv.FormatInt(time.Now().UnixNano(), 10))
		d.mu.Lock()
		between, journal := d.between, d.health.Journal
		d.mu.Unlock()
		if id := r.Header.Get(wire.HeaderJournal); id != "" && id != journal {
			d.elsewhere(w)
			return
		}
		if between == nil || !between(w, r) {
			h.ServeHTTP(w, r)
		}
	})
}

// elsewhere answers what is meant for another journal.
func (d *daemon) elsewhere(w http.ResponseWriter) {
	_ = http.NewResponseController(w).EnableFullDuplex() // the body goes on
	w.WriteHeader(http.StatusPreconditionFailed)
	d.write(w, wire.Problem{Text: "another journal", Code: wire.CodeElsewhere})
}

func (d *daemon) write(w http.ResponseWriter, v any) {
	_ = json.NewEncoder(w).Encode(v)
}

func (d *daemon) submit(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	_ = control.Flush()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		sub, err := wire.ParseSubmission(lines.Bytes())
		if err != nil {
			panic(fmt.Sprintf("%v: %s", err, lines.Bytes()))
		}
		d.mu.Lock()
		d.asked["submission"]++
		a := d.accept(sub, r.Header.Get(wire.HeaderSession))
		a.Line, a.Key = n, sub.Key
		d.change()
		lost := d.lose > 0
		if lost {
			d.lose--
		}
		d.mu.Unlock()
		if lost {
			_ = control.SetReadDeadline(time.Unix(1, 0)) // nor is the rest waited for
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write(a.Append(nil))
		_ = control.Flush()
	}
}

func (d *daemon) accept(sub *wire.Submission, session string) *wire.Answer {
	if d.judge != nil {
		if a := d.judge(sub); a != nil {
			return a
		}
	}
	t := d.tasks[sub.Key]
	switch {
	case t == nil:
		d.tasks[sub.Key] = &task{sub: sub, session: session, starts: 1}
		d.alter(sub.Key, func(t *task) { t.state.State = wire.Accepted })
		return &wire.Answer{Status: http.StatusCreated}
	case t.state.State == wire.Closed:
		return &wire.Answer{Status: http.StatusGone, Problem: &wire.Problem{
			Text: "closed", Code: wire.CodeClosed, Lost: true,
		}}
	}
	if sub.Resumed {
		if t.session != session {
			d.moved[t.session] = append(d.moved[t.session], sub.Key)
		}
		t.session, t.sub = session, sub
	}
	d.alter(sub.Key, func(*task) {})
	return &wire.Answer{Status: http.StatusOK}
}

func (d *daemon) results(w http.ResponseWriter, r *http.Request) {
	session := r.Header.Get(wire.HeaderSession)
	after, _ := strconv.ParseUint(r.FormValue("after"), 10, 64)
	flush := http.NewResponseController(w)
	d.mu.Lock()
	if r.FormValue("start") != d.health.Start {
		after = 0
	}
	start := d.health.Start
	hello := wire.Event{Hello: &wire.Hello{Start: start, After: after, Rev: d.rev}}
	d.mu.Unlock()
	line, _ := hello.Append(nil)
	_, _ = w.Write(line)
	var told wire.Capacity
	for first := true; ; first = false {
		d.mu.Lock()
		var out []byte
		var next uint64
		for rev := after + 1; rev <= d.rev; rev++ {
			for _, t := range d.tasks {
				if t.state.Rev == rev && t.session == session {
					st := t.state
					out, _ = (&wire.Event{State: &st}).Append(out)
				}
			}
			next = rev
		}
		after = max(after, next)
		for _, key := range d.moved[session] {
			st := wire.State{Rev: after, Key: key, State: wire.Moved}
			out, _ = (&wire.Event{State: &st}).Append(out)
		}
		delete(d.moved, session)
		if now := d.health.Capacity; first || fmt.Sprint(now) != fmt.Sprint(told) {
			told = now
			out, _ = (&wire.Event{Capacity: &now}).Append(out)
		}
		changed, ended := d.changed, d.health.Start != start
		d.mu.Unlock()
		if ended {
			return
		}
		_, _ = w.Write(out)
		_ = flush.Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-time.After(10 * time.Second):
			line, _ := (&wire.Event{Ping: true}).Append(nil)
			_, _ = w.Write(line)
		}
	}
}

// close takes what runs for one that has stopped at once.
func (d *daemon) close(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	d.mu.Lock()
	defer d.mu.Unlock()
	switch t := d.tasks[key]; {
	case t == nil:
		d.tasks[key] = &task{session: r.Header.Get(wire.HeaderSession)}
		d.alter(key, func(t *task) { t.state.State = wire.Closed })
	case t.state.State != wire.Ended && t.state.State != wire.Closed:
		d.alter(key, func(t *task) {
			o := &wire.Outcome{Stopped: wire.StoppedClosed, Inline: true}
			o.Stdout, o.Stderr = t.out[0], t.out[1]
			o.Result.ExitCode = 7
			t.state.State, t.state.Outcome = wire.Ended, o
		})
	}
	d.change()
	d.write(w, &d.tasks[key].state)
}

func (d *daemon) state(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.write(w, &d.tasks[r.PathValue("key")].state)
}

func (d *daemon) output(w http.ResponseWriter, r *http.Request, i int) {
	d.mu.Lock()
	all := d.tasks[r.PathValue("key")].out[i]
	d.mu.Unlock()
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(all))
}

func (d *daemon) ack(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	keys, err := wire.ParseKeys(body)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	var answer wire.Acknowledged
	for _, key := range keys {
		t := d.tasks[key]
		if t == nil {
			t = &task{}
			d.tasks[key] = t
		} else if t.state.State != wire.Ended && t.state.State != wire.Closed {
			answer.Open = append(answer.Open, key)
			continue
		}
		t.state.State, t.state.Outcome = wire.Closed, nil
	}
	d.mu.Unlock()
	d.write(w, answer)
}

func (d *daemon) renew(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	keys, err := wire.ParseKeys(body)
	if err != nil {
		panic(err)
	}
	d.mu.Lock()
	var answer wire.Renewed
	for _, key := range keys {
		t := d.tasks[key]
		if t == nil || t.session != r.Header.Get(wire.HeaderSession) {
			answer.Missing = append(answer.Missing, key)
		}
	}
	d.mu.Unlock()
	d.write(w, answer)
}

// task returns a copy of what the daemon has of a key.
func (d *daemon) task(t *testing.T, key string) task {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Contains(t, d.tasks, key)
	return *d.tasks[key]
}
