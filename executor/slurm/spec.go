package slurm

import (
	"bytes"
	_ "embed" // the script
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/internal/invocation"
)

// script is the text of every job.
//
//go:embed job.sh
var script string

// A spec is what a job is to run: data for the script.
type spec struct {
	key            string
	names          []jobName // of all jobs that were submitted for it
	stdout, stderr string
	dir            string
	limit, grace   time.Duration
	env, argv      []string
}

const (
	specMark = "daggy-job-1"
	specEnd  = "end"
	// specHead is how many words there are before the environment.
	specHead = 10
)

// encode returns the words, each followed by a zero byte.
func (s *spec) encode() []byte {
	limit := ""
	if s.limit > 0 {
		limit = seconds(s.limit)
	}
	words := []string{
		specMark, s.key, s.submitted(), strconv.Itoa(len(s.argv)), s.stdout, s.stderr, s.dir, limit,
		seconds(s.grace), strconv.Itoa(len(s.env)),
	}
	words = append(append(append(words, s.env...), s.argv...), specEnd)
	var b bytes.Buffer
	for _, w := range words {
		b.WriteString(w)
		b.WriteByte(0)
	}
	return b.Bytes()
}

// submitted has the names of the jobs.
func (s *spec) submitted() string {
	var names []string
	for _, n := range s.names {
		if n.index >= 0 {
			n.name += "_" + strconv.Itoa(n.index)
		}
		names = append(names, n.name)
	}
	return strings.Join(names, " ")
}

// parseNames reads what submitted returns. Nothing is names as well as nothing that can
// be one: they lead to files.
func parseNames(text string) []jobName {
	var names []jobName
	for word := range strings.FieldsSeq(text) {
		n := jobName{word, -1}
		if batch, index, ok := strings.Cut(word, "_"); ok {
			i, err := strconv.Atoi(index)
			if err != nil || i < 0 {
				return nil
			}
			n = jobName{batch, i}
		}
		if !safe(n.name) {
			return nil
		}
		names = append(names, n)
	}
	return names
}

func seconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// spec reads where the files of a key are and where it was submitted.
func (s *store) spec(key string) (sp spec, known bool, err error) {
	b, err := os.ReadFile(s.path(jobsDir, key))
	if errors.Is(err, fs.ErrNotExist) {
		return spec{}, false, nil
	}
	if err != nil {
		return spec{}, false, err
	}
	words := strings.SplitN(string(b), "\x00", specHead+1)
	if len(words) <= specHead || words[0] != specMark || words[1] != key ||
		!strings.HasSuffix(string(b), "\x00"+specEnd+"\x00") {
		return spec{}, false, nil // it was never whole, so it cannot have been submitted
	}
	sp = spec{key: key, names: parseNames(words[2]), stdout: words[4], stderr: words[5]}
	if sp.names == nil || !isOutput(sp.stdout, key) || !isOutput(sp.stderr, key) {
		// It belongs to who runs the job, who may have written that we are to read,
		// and in the end remove, something else.
		return spec{}, false, nil
	}
	return sp, true, nil
}

// isOutput reports whether a path can be that of an output of the key.
func isOutput(path, key string) bool {
	stdout, stderr := outputFiles(key)
	base := filepath.Base(path)
	return path == os.DevNull || base == stdout || base == stderr
}

// specOf makes what the job of an attempt is to run. Its errors are the job's own.
func (e *Executor) specOf(a *executor.Attempt, s *store, set settings) (spec, error) {
	argv, err := invocation.Words(a.Job)
	if err == nil {
		err = invocation.CheckEnvironment(a.Job.Environment)
	}
	if err != nil {
		return spec{}, fmt.Errorf("slurm: %w", err)
	}
	if strings.Contains(argv[0], "=") {
		// env would take it for a variable.
		argv = append([]string{"/bin/sh", "-c", `exec "$@"`, "sh"}, argv...)
	}
	sp := spec{
		key:   a.Key,
		dir:   e.workDir(a.Job),
		limit: a.Job.TimeLimit,
		grace: e.config.Grace,
		env:   invocation.LastOfEach(slices.Concat(e.inherited, s.environ, a.Environ())),
		argv:  argv,
	}
	sp.stdout, sp.stderr = s.outputs(a, set)
	for _, word := range append(append([]string{sp.dir, sp.stdout}, sp.env...), sp.argv...) {
		if strings.Contains(word, "\x00") {
			return spec{}, fmt.Errorf("slurm: %.100q holds a zero byte, which no process can be"+
				" given", word)
		}
	}
	return sp, nil
}

// workDir is the directory that a job enters.
func (e *Executor) workDir(job dag.Job) string {
	if filepath.IsAbs(job.WorkDir) {
		return job.WorkDir
	}
	return filepath.Join(e.dir, job.WorkDir)
}

// outputs are the files that take the output. One that nobody wants is not kept,
// and one writer for both gets both in the order in which they are written.
func (s *store) outputs(a *executor.Attempt, set settings) (stdout, stderr string) {
	base := s.path(outputsDir, a.Key)
	if set.tmpDir != "" {
		base = filepath.Join(set.tmpDir, a.Key)
	}
	stdout, stderr = outputFiles(base)
	if invocation.Joined(a.Stdout, a.Stderr) {
		stderr = stdout
	}
	if a.Stdout == io.Discard {
		stdout = os.DevNull
	}
	if a.Stderr == io.Discard {
		stderr = os.DevNull
	}
	return stdout, stderr
}

func outputFiles(base string) (stdout, stderr string) { return base + ".stdout", base + ".stderr" }
