package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// window is how many attempts a client of a stream has under way.
const window = 1024

// BenchmarkTasks is what a task that does nothing costs through one daemon, and
// through what it is compared with. Client and daemon are two processes.
func BenchmarkTasks(b *testing.B) {
	b.Run("reference=original", benchOriginal)
	b.Run("reference=stream", benchStream)
	for _, ephemeral := range []bool{false, true} {
		name := map[bool]string{false: "daemon=journal", true: "daemon=ephemeral"}[ephemeral]
		b.Run(name, func(b *testing.B) {
			d := spawnBench(b, ephemeral)
			benchDaemon(b, d)
		})
	}
}

// BenchmarkAlone is one attempt at a time, from its submission to its result, and
// one request.
func BenchmarkAlone(b *testing.B) {
	b.Run("reference=roundtrip", func(b *testing.B) {
		server := spawn(b, "reference", "roundtrip")
		for b.Loop() {
			fetch(b, http.MethodPut, server.url+"/x", smallTask(1))
		}
	})
	for _, ephemeral := range []bool{false, true} {
		name := map[bool]string{false: "daemon=journal", true: "daemon=ephemeral"}[ephemeral]
		b.Run(name, func(b *testing.B) {
			d := spawnBench(b, ephemeral)
			results := listen(b, d, "s1")
			n := 0
			for b.Loop() {
				n++
				fetch(b, http.MethodPut, d.url+wire.PathTask+key(n), smallTask(n))
				for st := range results {
					if st.State == wire.Ended {
						break
					}
				}
			}
		})
	}
}

// spawnBench starts a daemon that runs nothing.
func spawnBench(b *testing.B, ephemeral bool) *daemon {
	b.Helper()
	r := role{Ephemeral: ephemeral, Nothing: true, Cores: 1000}
	if !ephemeral {
		r.Dir = b.TempDir()
	}
	return &spawnDaemon(b, r).daemon
}

func key(n int) string { return "bench-1-" + strconv.Itoa(n) + "-1" }

func smallTask(n int) string {
	return fmt.Sprintf(`{"run":"bench","task":"t","instance":"t_%d","index":%d,"number":1,`+
		`"job":{"command":["true","a","b"],"environment":["A=b"],"resources":{"cores":0}}}`, n, n)
}

func fetch(tb testing.TB, method, url, body string) []byte {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, url, strings.NewReader(body))
	require.NoError(tb, err)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set(wire.HeaderSession, "s1")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(tb, err)
	require.NoError(tb, resp.Body.Close())
	require.Less(tb, resp.StatusCode, 300, "%s", data)
	return data
}

// listen hears of a session's attempts until the end of the test.
func listen(tb testing.TB, d *daemon, session string) <-chan wire.State {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+wire.PathResults, nil)
	require.NoError(tb, err)
	req.Header.Set(wire.HeaderSession, session)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(tb, err)
	results := make(chan wire.State, window)
	var over sync.WaitGroup
	over.Go(func() {
		defer close(results)
		in := bufio.NewReaderSize(resp.Body, 256<<10)
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			e, err := wire.ParseEvent(line)
			if err != nil {
				panic(err)
			}
			if e.State == nil {
				continue
			}
			select {
			case results <- *e.State:
			case <-ctx.Done():
				return
			}
		}
	})
	tb.Cleanup(func() {
		cancel()
		over.Wait()
		_ = resp.Body.Close()
	})
	return results
}

// benchDaemon keeps a window of attempts under way, as a client does: over one
// request that goes on, one stream of results, and acknowledgements in batches.
func benchDaemon(b *testing.B, d *daemon) {
	b.Helper()
	results := listen(b, d, "s1")
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, d.url+wire.PathTasks, pr)
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set(wire.HeaderSession, "s1")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	var answers sync.WaitGroup
	answers.Go(func() {
		in := bufio.NewReaderSize(resp.Body, 256<<10)
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if a, err := wire.ParseAnswer(line); err != nil || a.Status != http.StatusCreated {
				panic(fmt.Sprintf("%s: %v", line, err))
			}
		}
	})
	slots := make(chan struct{}, window)
	var sending sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	sending.Go(func() {
		out := bufio.NewWriterSize(pw, 64<<10)
		var buf []byte
		for i := range b.N {
			select {
			case slots <- struct{}{}:
			default:
				_ = out.Flush()
				slots <- struct{}{}
			}
			sub := &wire.Submission{
				Key: key(i), Run: "bench", Task: "t", Instance: "t_" + strconv.Itoa(i), Index: i,
				Number: 1, Job: benchJob,
			}
			buf, _ = sub.Append(buf[:0])
			_, _ = out.Write(append(buf, '\n'))
		}
		_ = out.Flush()
	})
	var done []string
	for got := 0; got < b.N; {
		st := <-results
		if st.State != wire.Ended {
			continue
		}
		got++
		<-slots
		if done = append(done, st.Key); len(done) == window || got == b.N {
			data, err := json.Marshal(wire.Keys{Keys: done})
			require.NoError(b, err)
			fetch(b, http.MethodPost, d.url+wire.PathAck, string(data))
			done = done[:0]
		}
	}
	b.StopTimer()
	sending.Wait()
	require.NoError(b, pw.Close())
	answers.Wait()
	require.NoError(b, resp.Body.Close())
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
