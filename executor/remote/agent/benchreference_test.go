package agent_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
)

var benchJob = dag.Job{
	Command: []string{"true", "a", "b"}, Environment: []string{"A=b"},
	Resources: dag.Resources{dag.Cores: 0},
}

// plainTask and plainResult are what others say of a task.
type plainTask struct {
	ID          string           `json:"id"`
	Name        string           `json:"name"`
	Command     []string         `json:"command"`
	Environment []string         `json:"environment"`
	Capacities  map[string]int64 `json:"capacities"`
}

type plainResult struct {
	ID        string `json:"id"`
	StartTime int64  `json:"start_time"`
	StopTime  int64  `json:"stop_time"`
	Exit      int    `json:"exit_code"`
	Output    string `json:"output"`
	Error     string `json:"error"`
}

func newPlainTask(n int) plainTask {
	return plainTask{
		ID: key(n), Name: "t_" + strconv.Itoa(n), Command: benchJob.Command,
		Environment: benchJob.Environment, Capacities: map[string]int64{"cores": 1},
	}
}

// reference is a server that daemons are compared with.
func reference(kind string) http.Handler {
	switch kind {
	case "original":
		return originalServer()
	case "stream":
		return http.HandlerFunc(serveStream)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "{}")
	})
}

func originalServer() http.Handler {
	var results sync.Map
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /api/v1/capacity", func(w http.ResponseWriter, _ *http.Request) {
		say(w, map[string]int64{"cores": 2, "memory_mb": 1000})
	})
	mux.HandleFunc("POST /api/v1/task", func(w http.ResponseWriter, r *http.Request) {
		var task plainTask
		if err := json.NewDecoder(r.Body).Decode(&task); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		results.Store(task.ID, plainResult{ID: task.ID, StartTime: 1, StopTime: 2})
		say(w, map[string]string{"id": task.ID})
	})
	mux.HandleFunc("GET /api/v1/task/{id}", func(w http.ResponseWriter, r *http.Request) {
		result, _ := results.LoadAndDelete(r.PathValue("id"))
		say(w, result)
	})
	return mux
}

func serveStream(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	_ = rc.EnableFullDuplex()
	w.WriteHeader(http.StatusOK)
	_ = rc.Flush()
	in := bufio.NewReaderSize(r.Body, 64<<10)
	out := bufio.NewWriterSize(w, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		var task plainTask
		if err := json.Unmarshal(line, &task); err != nil {
			return
		}
		data, _ := json.Marshal(plainResult{ID: task.ID, StartTime: 1, StopTime: 2})
		_, _ = out.Write(append(data, '\n'))
		if in.Buffered() == 0 {
			_ = out.Flush()
			_ = rc.Flush()
		}
	}
}

// benchOriginal is the exchange of the original for each task: it asks for the
// capacity, submits, and asks once how it ended.
func benchOriginal(b *testing.B) {
	server := spawn(b, "reference", "original")
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: window}}
	do := func(method, path string, body io.Reader, v any) {
		req, err := http.NewRequestWithContext(b.Context(), method, server.url+path, body)
		if err != nil {
			panic(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			panic(err)
		}
		if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 16 {
		clients.Go(func() {
			for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
				var free map[string]int64
				do(http.MethodGet, "/api/v1/capacity", nil, &free)
				pr, pw := io.Pipe()
				go func() { _ = pw.CloseWithError(json.NewEncoder(pw).Encode(newPlainTask(n))) }()
				var submitted map[string]string
				do(http.MethodPost, "/api/v1/task", pr, &submitted)
				var result plainResult
				do(http.MethodGet, "/api/v1/task/"+submitted["id"], nil, &result)
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	client.CloseIdleConnections()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}

// benchStream is a stream of lines of JSON in both directions, and nothing else.
func benchStream(b *testing.B) {
	server := spawn(b, "reference", "stream")
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.url, pr)
	require.NoError(b, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	slots := make(chan struct{}, window)
	b.ReportAllocs()
	b.ResetTimer()
	var sending sync.WaitGroup
	sending.Go(func() {
		out := bufio.NewWriterSize(pw, 64<<10)
		for i := range b.N {
			select {
			case slots <- struct{}{}:
			default:
				_ = out.Flush()
				slots <- struct{}{}
			}
			data, _ := json.Marshal(newPlainTask(i))
			_, _ = out.Write(append(data, '\n'))
		}
		_ = out.Flush()
	})
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	for range b.N {
		line, err := in.ReadSlice('\n')
		require.NoError(b, err)
		var result plainResult
		require.NoError(b, json.Unmarshal(line, &result))
		<-slots
	}
	b.StopTimer()
	sending.Wait()
	require.NoError(b, pw.Close())
	require.NoError(b, resp.Body.Close())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
