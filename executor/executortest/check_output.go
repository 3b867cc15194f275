package executortest

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

func e6Checks() []check {
	return []check{
		{"output arrives byte for byte", everyByte},
		{"output goes into files", files},
		{"much output costs no memory", flood},
	}
}

// octets are all there are, so that nothing that takes output for text survives.
func octets() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func everyByte(l *lab) {
	up, down := octets(), octets()
	slices.Reverse(down)
	t := l.start(l.config.Jobs.Print(up, down))
	t.succeed()
	if got := t.stdout.bytes(); !bytes.Equal(got, up) {
		l.Errorf("stdout is %q, want %q", got, up)
	}
	if got := t.stderr.bytes(); !bytes.Equal(got, down) {
		l.Errorf("stderr is %q, want %q", got, down)
	}
	if t.stdout.shared() || t.stderr.shared() {
		l.Error("two goroutines wrote to the same writer at once")
	}
}

func files(l *lab) {
	stdout, stderr := l.file("stdout"), l.file("stderr")
	a := l.attempt(l.config.Jobs.Print(octets(), []byte("problems\n")))
	a.Stdout, a.Stderr = stdout, stderr
	l.launch(l.executor, a, nil).succeed()
	l.contains(stdout, octets())
	l.contains(stderr, []byte("problems\n"))
}

// file begins with something, which must not be overwritten.
func (l *lab) file(name string) *os.File {
	l.Helper()
	f, err := os.Create(filepath.Join(l.TempDir(), name))
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = f.Close() })
	if _, err := f.WriteString("before\n"); err != nil {
		l.Fatal(err)
	}
	return f
}

func (l *lab) contains(f *os.File, want []byte) {
	l.Helper()
	// The caller goes on using the file: it may be neither closed nor moved.
	if _, err := f.WriteString("after\n"); err != nil {
		l.Errorf("the file cannot be used any more: %v", err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		l.Fatal(err)
	}
	if want := slices.Concat([]byte("before\n"), want, []byte("after\n")); !bytes.Equal(got, want) {
		l.Errorf("the file has %q, want %q", got, want)
	}
}

// flood lets the heap grow by half of what is printed, so that what else goes on
// in the test does not matter.
func flood(l *lab) {
	size := l.config.flood
	a := l.attempt(l.config.Jobs.Flood(size))
	g := &gauge{want: floodPiece(), every: size / 8}
	before := liveHeap()
	a.Stdout = g
	l.launch(l.executor, a, nil).succeed()
	if g.bad != 0 || g.n != size {
		l.Errorf("%d bytes arrived, want %d; what begins with number %d is wrong (0: nothing)",
			g.n, size, g.bad)
	}
	if grown := int64(g.most) - int64(before); grown > size/2 {
		l.Errorf("the heap has grown by %d MiB for %d MiB of output", grown>>20, size>>20)
	}
}

// A gauge checks what it is written and watches the heap.
type gauge struct {
	want  []byte // repeated
	n     int64
	bad   int64 // what begins with this byte, counted from 1, is wrong; 0: nothing is
	every int64 // when to look at the heap
	next  int64
	most  uint64 // that there was of it
}

var _ io.Writer = (*gauge)(nil)

func (g *gauge) Write(p []byte) (int, error) {
	for done := 0; done < len(p); {
		want := g.want[(g.n+int64(done))%int64(len(g.want)):]
		n := min(len(want), len(p)-done)
		if g.bad == 0 && !bytes.Equal(p[done:done+n], want[:n]) {
			g.bad = g.n + int64(done) + 1
		}
		done += n
	}
	g.n += int64(len(p))
	if g.n >= g.next {
		g.most = max(g.most, liveHeap())
		g.next += g.every
	}
	return len(p), nil
}

// liveHeap is what is in use, without what is garbage already.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func s3Checks() []check { return []check{{"the environment is the job's", environment}} }

func environment(l *lab) {
	jobs := l.config.Jobs
	if l.weaker(l.config.Weaker.NoEnvironment, jobs.Environment == nil, "Environment") {
		return
	}
	job := jobs.Environment()
	job.Environment = append(slices.Clone(job.Environment),
		"EXECUTORTEST=two words=$HOME", "EXECUTORTEST_EMPTY=")
	a := l.attempt(job)
	a.Number = 2
	t := l.launch(l.executor, a, nil)
	t.succeed()
	got := words(t.stdout.bytes())
	for _, want := range []string{
		"EXECUTORTEST=two words=$HOME", "EXECUTORTEST_EMPTY=",
		"DAGGY_RUN=" + a.Run, "DAGGY_TASK=" + a.Instance, "DAGGY_ATTEMPT=2", "DAGGY_KEY=" + a.Key,
	} {
		if !slices.Contains(got, want) {
			l.Errorf("the environment has no %q", want)
		}
	}
}

// words undoes how lists are printed.
func words(stdout []byte) []string {
	var list []string
	for word := range bytes.SplitAfterSeq(stdout, []byte{0}) {
		if len(word) > 0 {
			list = append(list, string(bytes.TrimSuffix(word, []byte{0})))
		}
	}
	return list
}

func s4Checks() []check { return []check{{"arguments stay apart", arguments}} }

func arguments(l *lab) {
	jobs := l.config.Jobs
	if jobs.Arguments == nil {
		l.Log("not checked, declared: Jobs.Arguments is nil, there are no words")
		return
	}
	want := []string{
		"two words", "", "$HOME", "`id`", "$(id)", "*", ";", "&&", "|", ">x", "'", `"`, `\`, `a\ b`,
		"line\nbreak", "tab\t", "-flag", "--", "#", "é", "%PATH%", "{{.ID}}", " ",
	}
	t := l.start(jobs.Arguments(want...))
	t.succeed()
	if got := words(t.stdout.bytes()); !slices.Equal(got, want) {
		l.Errorf("the arguments are %q, want %q", got, want)
	}
}
