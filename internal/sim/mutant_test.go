package sim_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A mutant is a deliberate mistake in the runner: in a file, one text is replaced
// by another.
type mutant struct {
	name     string
	file     string // below the root of the module
	old, new string
}

// mutants are what the simulation must catch. A mutant whose old text is not
// there any more has to be brought up to date.
var mutants = []mutant{
	{
		"starts before the intent is durable", "runner/append.go",
		"		e.inFlight = len(b.Records)\n",
		"		e.inFlight = len(b.Records)\n" +
			"		e.perform(b.Actions)\n		b.Actions = nil\n",
	},
	{
		"records children before their parents", "runner/append.go",
		"		seq, err := e.store(after, b.Records)\n",
		"		for i, n := 0, len(b.Records); i < n/2; i++ {\n" +
			"			b.Records[i], b.Records[n-1-i] = b.Records[n-1-i], b.Records[i]\n" +
			"		}\n		seq, err := e.store(after, b.Records)\n",
	},
	{
		"ignores that it is fenced", "runner/store.go",
		"	seq, err := e.log.Append(ctx, e.run, after, recs)\n",
		"	seq, err := e.log.Append(ctx, e.run, after, recs)\n" +
			"	if errors.Is(err, statelog.ErrFenced) {\n" +
			"		return after + uint64(len(recs)), nil\n	}\n",
	},
	{
		"assumes that an append in doubt was applied", "runner/store.go",
		"	return e.lookUp(ctx, after, recs, err)\n",
		"	return after + uint64(len(recs)), nil\n",
	},
	{
		"assumes that an append in doubt was not applied", "runner/store.go",
		"	e.doubtful = true\n",
		"	if errors.Is(err, statelog.ErrAmbiguous) {\n" +
			"		return 0, &notAddedError{err}\n	}\n	e.doubtful = true\n",
	},
	{
		"takes records of the engine before for its own", "runner/store.go",
		"{ return takesUp(rec.Kind) == takesUp(first.Kind) }",
		"{ return true || rec == first }",
	},
	{
		"does not say that an attempt was resumed", "runner/resume.go",
		"		mine.Resumed = true\n",
		"		mine.Resumed = false\n",
	},
	{
		"forgets before the outcome is durable", "runner/append.go",
		"		e.inFlight = len(b.Records)\n",
		"		e.inFlight = len(b.Records)\n		e.forgetClosed(b.Records)\n",
	},
	{
		"counts losses as failures of the task", "runner/internal/plan/apply.go",
		"			x.losses++\n",
		"			x.failures++\n",
	},
	{
		"splices tasks without their edges to others", "runner/internal/plan/apply.go",
		"		p.holdBackChildren(i, from)\n",
		"",
	},
	{
		"closes attempts that were detached", "runner/attempt.go",
		"	return a.err != nil && a.pool.durable && !isDefinite(a.err) &&\n",
		"	return false && a.err != nil && a.pool.durable && !isDefinite(a.err) &&\n",
	},
	{
		"withdraws what another engine may have started", "runner/attempt.go",
		"	case a.Resumed:\n		a.endFirst = why\n		return\n",
		"",
	},
	{
		"goes on without its lock", "runner/lock.go",
		"		if e.over {\n			return\n		}\n		e.detaching = true\n",
		"		if e.detaching = e.detaching || !e.over; e.detaching {\n" +
			"			return\n		}\n",
	},
	{
		"stops durable work when it loses the run", "runner/stop.go",
		"	case e.logErr != nil && pool.durable:\n",
		"	case e.logErr != nil && pool.durable && why == statelog.Interrupted:\n",
	},
	{
		"waits for slots that nobody gives back", "runner/stop.go",
		"a != nil && (a.taken || a.Resumed) {",
		"a != nil && a.taken {",
	},
}

// mutantSeeds is how many seeds it may take to catch a mutant.
const mutantSeeds = 4000

// TestMutants checks that the simulation finds the mistakes that it is there for.
func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("each mutant has to be compiled")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			t.Log(m.catch(t, root))
		})
	}
}

// catch runs the simulation on a mutant until it is caught, and returns the first
// line of what the simulation says.
func (m *mutant) catch(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "sim.test")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-o", binary,
		"-overlay", m.overlay(t, root, dir), "./internal/sim")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	run := exec.CommandContext(ctx, binary, "-test.run=^TestSim$", "-shrink=false",
		"-seeds", strconv.Itoa(mutantSeeds))
	run.Dir = filepath.Join(root, "internal", "sim")
	out, err = run.CombinedOutput()
	require.Error(t, err, "the mutant survives %d seeds", mutantSeeds)
	for line := range strings.Lines(string(out)) {
		if _, found, ok := strings.Cut(line, "seed "); ok {
			return "seed " + strings.TrimSpace(found)
		}
	}
	require.Fail(t, "it was not the simulation that failed", "%s", out)
	return ""
}

// overlay writes the file with the mistake, and the file that tells the compiler
// to read it in place of the right one.
func (m *mutant) overlay(t *testing.T, root, dir string) string {
	t.Helper()
	right := filepath.Join(root, filepath.FromSlash(m.file))
	data, err := os.ReadFile(right)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(data), m.old), "the mutant does not fit %s", m.file)
	wrong := filepath.Join(dir, "mutant.go")
	changed := strings.Replace(string(data), m.old, m.new, 1)
	require.NoError(t, os.WriteFile(wrong, []byte(changed), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{right: wrong}})
	require.NoError(t, err)
	path := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(path, overlay, 0o600))
	return path
}
