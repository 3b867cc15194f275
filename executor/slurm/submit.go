package slurm

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm/internal/evidence"
)

const (
	// submitters is how many submissions there are at the same time, at most.
	submitters = 3
	// writers is how many files are written at the same time for a submission.
	writers = 8
	// defaultMaxArray is Slurm's, for as long as a cluster does not tell its own.
	defaultMaxArray = 1000
	// regrow is after how many submissions that are taken larger arrays are tried
	// again.
	regrow = 8
	// maxNames is how many jobs are looked for that an item may have been submitted as:
	// while nobody understands what sbatch says there is one more each minute.
	maxNames = 16
)

// submissions submits what is queued until ctx ends.
func (k *keeper) submissions(ctx context.Context, kick <-chan struct{}) {
	var g sync.WaitGroup
	defer g.Wait()
	free := make(chan struct{}, submitters)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-kick:
		case <-timer.C:
		}
		k.askCluster(ctx)
		for ctx.Err() == nil {
			batch, wait := k.due(len(free) == submitters)
			if batch == nil {
				timer.Reset(wait)
				break
			}
			free <- struct{}{}
			group := batch[0].group // Slurm's items have none any more
			g.Go(func() {
				returned := false
				defer func() {
					if !returned {
						k.submissionEnded(batch, answer{words: "sbatch did not return"})
					}
					<-free
					k.landed(group)
				}()
				k.submit(ctx, batch)
				returned = true
			})
		}
	}
}

// submit submits a batch, and says to its items what became of it.
func (k *keeper) submit(ctx context.Context, batch []*item) {
	first := batch[0]
	name := first.key
	if len(batch) > 1 {
		name = "daggy-" + strings.ToLower(rand.Text())
	}
	if err := k.write(batch, name); err != nil {
		k.settle(batch, func(it *item) {
			if len(it.names) == 0 {
				it.failed = cannotWrite(err)
				return
			}
			it.stage = unsure // what was submitted before may arrive yet
			it.text = "it cannot be submitted again: " + err.Error()
		})
		return
	}
	k.name(batch, name)
	a, err := k.e.sbatch(ctx, first, name, len(batch))
	k.submissionEnded(batch, answerOf(a, err))
}

// An answer is what sbatch says of a submission.
type answer struct {
	is        evidence.Submission
	id, words string
	crowded   bool // fewer jobs might be taken
}

func answerOf(a Answer, err error) answer {
	stderr := string(a.Stderr)
	said := answer{words: evidence.Words(a.Stderr), crowded: evidence.Crowded(stderr)}
	if err == nil {
		said.is, said.id, said.words = evidence.ParseSubmission(string(a.Stdout), stderr, a.Exit)
	}
	switch {
	case err != nil && said.words != "":
		said.words = err.Error() + "; " + said.words
	case err != nil:
		said.words = err.Error()
	case said.words == "":
		said.words = fmt.Sprintf("exit %d", a.Exit)
	}
	return said
}

// sbatch submits a job, or an array of several.
func (e *Executor) sbatch(ctx context.Context, it *item, name string, n int) (Answer, error) {
	argv := []string{
		"sbatch", "--parsable", "--no-requeue", "--job-name=" + name,
		"--output=/dev/null", "--error=/dev/null", "--export=ALL", "--chdir=" + it.spec.dir,
	}
	if n > 1 {
		argv = append(argv, fmt.Sprintf("--array=0-%d", n-1))
	}
	argv = append(argv, it.args...)
	argv = append(argv, "/dev/stdin", it.store.dir, name)
	// A submission that was begun is seen to its end, also when nobody waits for it
	// any more.
	asking, cancel := outliving(ctx)
	defer cancel()
	return e.ask(asking, script, argv...)
}

// outliving returns a context that ends after ctx, but not long after.
func outliving(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(2 * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// write writes what the jobs of a batch are to run, and which key each has, so that
// it outlives a power cut: an attempt that was submitted is found again.
func (k *keeper) write(batch []*item, name string) error {
	var g errgroup.Group
	var next atomic.Int64
	for range min(writers, len(batch)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batch) {
					return nil
				}
				it := batch[i]
				// What was submitted before may arrive yet.
				sp := *it.spec
				names := append(slices.Clone(it.names), nameIn(batch, name, i))
				sp.names = slices.Compact(names)
				err := it.store.create(it.store.path(jobsDir, it.key), sp.encode())
				if err != nil {
					return err
				}
			}
		})
	}
	s := batch[0].store
	if err := g.Wait(); err != nil || len(batch) == 1 {
		return err
	}
	var keys bytes.Buffer
	for _, it := range batch {
		keys.WriteString(it.key)
		keys.WriteByte('\n')
	}
	if err := s.write(s.path(batchesDir, name), keys.Bytes(), true); err != nil {
		return err
	}
	return syncDir(s.path(batchesDir, ""))
}

// settle changes the items of a batch and lets them look.
func (k *keeper) settle(batch []*item, change func(it *item)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, it := range batch {
		it.since, it.quiet = k.begun, 0
		change(it)
		it.wake()
	}
}

// pace decides when the next submission is, and how many jobs it may have, after one
// of n jobs.
func (k *keeper) pace(said answer, n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case said.is == evidence.Accepted || said.is == evidence.Refused:
		k.failures, k.pause = 0, time.Time{}
		if k.taken++; k.taken%regrow == 0 {
			k.most *= 2
		}
		if k.most >= k.e.config.ArraySize {
			k.most = 0
		}
	case said.crowded && n > 1:
		k.most, k.taken = n/2, 0
		k.pause = time.Now().Add(time.Second)
	default:
		k.failures = min(k.failures+1, 10)
		backoff := min(time.Second<<k.failures, max(k.e.slowest(), time.Second))
		k.pause = time.Now().Add(backoff)
	}
}

// nameIn is the name of the i-th job of a batch of that name.
func nameIn(batch []*item, name string, i int) jobName {
	if len(batch) == 1 {
		i = -1 // it is no array
	}
	return jobName{name, i}
}

// name notes the name under which a batch is submitted.
func (k *keeper) name(batch []*item, name string) {
	old := map[string]*store{}
	k.mu.Lock()
	for i, it := range batch {
		n := nameIn(batch, name, i)
		it.names = append(it.names, n)
		if k.items[it.key] == it {
			k.names[n] = it
		}
		if len(it.names) <= maxNames {
			continue
		}
		if gone := k.drop(it, 0); gone.index >= 0 {
			old[gone.name] = it.store
		}
	}
	k.mu.Unlock()
	for gone, s := range old {
		// Without it an array that should arrive after all does nothing.
		_ = os.Remove(s.path(batchesDir, gone))
	}
}

// drop forgets one of the names of an item, with mu held.
func (k *keeper) drop(it *item, i int) jobName {
	n := it.names[i]
	it.names = slices.Delete(it.names, i, i+1)
	if k.names[n] == it && !slices.Contains(it.names, n) {
		delete(k.names, n)
	}
	return n
}

// unname forgets the name under which a batch was not taken, which may happen often.
func (k *keeper) unname(batch []*item) {
	name := batch[0].name().name
	k.mu.Lock()
	for _, it := range batch {
		k.drop(it, len(it.names)-1)
	}
	k.mu.Unlock()
	if len(batch) > 1 {
		// It is only in the way.
		_ = os.Remove(batch[0].store.path(batchesDir, name))
	}
}

func (k *keeper) submissionEnded(batch []*item, said answer) {
	if said.is == evidence.Unclear || said.is == evidence.Deferred {
		k.e.config.Logger.Warn("a submission failed",
			slog.String("words", said.words), slog.Int("jobs", len(batch)))
	}
	k.pace(said, len(batch))
	switch said.is {
	case evidence.Accepted:
		k.settle(batch, func(it *item) {
			it.stage = submitted
			it.spec, it.args, it.group = nil, nil, ""
			ref := said.id
			if n := it.name(); n.index >= 0 {
				ref = fmt.Sprintf("%s_%d", said.id, n.index)
			}
			it.jobs = []evidence.Job{{ID: ref, State: "PENDING"}}
		})
	case evidence.Refused:
		k.settle(batch, func(it *item) {
			it.stage = unsure
			it.failed = executor.Permanent(&RefusedError{Words: said.words, Args: it.args})
		})
	case evidence.Deferred:
		k.unname(batch)
		k.mu.Lock()
		for _, it := range batch {
			if len(it.watchers) > 0 {
				k.inQueue--
				k.push(it)
			}
			it.text = "Slurm takes no more jobs for now: " + said.words
			it.wake()
		}
		k.mu.Unlock()
	case evidence.Unclear:
		k.settle(batch, func(it *item) {
			it.stage = unsure
			it.since++ // the next listing may be too early for a late arrival
			it.text = "it is not known whether Slurm has it: " + said.words
		})
	}
}
