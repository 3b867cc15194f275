package sim_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/statelog"
)

// A world is everything outside of the engines. Engines call it from goroutines
// of their own and wait in it; the driver decides what they are told.
type world struct {
	settings
	*scenario
	ctx   context.Context //nolint:containedctx // of everything in the bubble
	rnd   *rand.Rand
	rates map[fault]float64
	seen  map[string]int // what has occurred, by name
	quiet bool           // nothing goes wrong any more
	step  int
	idle  int           // pauses in a row because there was nothing to do
	pause time.Duration // that the last choice asks for
	options

	mu         sync.Mutex // guards what follows
	broken     error      // the first violation
	trace      []string
	said       []string // by engines since the last step, in no order
	engines    []*engine
	records    []statelog.Record
	book       *book
	appends    []*pendingAppend
	zombies    []*pendingAppend // may still be applied, though nobody waits for them
	down       bool             // the store
	readsFail  bool             // the next reads do
	readFailed bool             // one has since the last thing happened
	skew       time.Duration    // how far the wall clock was set ahead since
	lock       lock
	calls      []*call
	arrived    int // calls so far
	works      map[attempt]*work
	messages   []*message
	sent       int // messages so far
	nodes      map[string]*node
	keys       map[string]attempt
	forgets    []*pendingForget
}

// settings are what a replay of a seed may choose.
type settings struct {
	seed uint64
	// without has names of tasks and of faults that are left out.
	without map[string]bool
	// keep says that the trace is wanted.
	keep bool
}

func newWorld(ctx context.Context, s settings) *world {
	w := &world{
		ctx:      ctx,
		settings: s, scenario: newScenario(s.seed, time.Now(), s.without),
		rnd:  rand.New(rand.NewPCG(s.seed, 1)),
		seen: map[string]int{}, works: map[attempt]*work{}, keys: map[string]attempt{},
		nodes: map[string]*node{"n1": {}, "n2": {}},
	}
	w.rates = drawRates(w.rnd, s.without)
	w.book = newBook(w.dag)
	w.lock.kind = lockKind(w.rnd.IntN(3))
	w.options = drawOptions(w.rnd)
	w.book.limits(w.options)
	return w
}

// violated notes the first violation of an invariant. It is called with mu held.
func (w *world) violated(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
		w.say("VIOLATION %v", w.broken)
	}
}

// note adds a line to the trace. The driver calls it, with mu held.
func (w *world) note(format string, args ...any) {
	if w.keep {
		w.trace = append(w.trace, fmt.Sprintf("%4d %s", w.step, line(format, args...)))
	}
}

// say is note for the goroutines of engines, of which several may do something in
// the same step. It is called with mu held.
func (w *world) say(format string, args ...any) {
	if w.keep {
		w.said = append(w.said, line(format, args...))
	}
}

// line is a line of the trace, but for the number of the step.
func line(format string, args ...any) string {
	text := fmt.Sprintf("%9.3fs ", time.Since(epoch).Seconds()) + fmt.Sprintf(format, args...)
	return strings.Join(strings.Fields(text), " ") // errors may have many lines
}

// listen adds what engines said to the trace, in a fixed order, with mu held.
func (w *world) listen() {
	slices.Sort(w.said)
	for _, line := range w.said {
		w.trace = append(w.trace, fmt.Sprintf("%4d %s", w.step, line))
	}
	w.said = w.said[:0]
}

// epoch is when all bubbles begin.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// An engine that was told of its end before it was over says so with this.
var errDead = errors.New("sim: the engine is dead")

// invariant returns the number that the text of a violation names.
func invariant(err error) string {
	for _, word := range strings.Fields(err.Error()) {
		if name, ok := strings.CutSuffix(word, ":"); ok && len(name) >= 2 && len(name) <= 3 &&
			strings.Contains("DEILR", name[:1]) {
			return name
		}
	}
	return err.Error()
}

// remove takes an element out of a list, of which the order stays.
func remove[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}
