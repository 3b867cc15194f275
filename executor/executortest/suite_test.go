package executortest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

func TestMain(m *testing.M) {
	Main()
	goleak.VerifyTestMain(m)
}

// TestHealthy runs the whole suite on executors that keep every rule.
func TestHealthy(t *testing.T) {
	t.Run("attached", func(t *testing.T) { Run(t, healthy(false)) })
	t.Run("durable", func(t *testing.T) { Run(t, healthy(true)) })
	t.Run("wrapped", func(t *testing.T) {
		c := healthy(true)
		wrapped(func(
			ctx context.Context, a *executor.Attempt, next executor.Executor,
		) (executor.Result, error) {
			return next.Run(ctx, a)
		})(&c)
		Run(t, c)
	})
}

// TestBroken shows that each broken executor fails the suite at the rule that it
// breaks, and nowhere else. What the suite says is in the log.
func TestBroken(t *testing.T) {
	ones := brokenOnes()
	verdicts := make([]func() verdict, len(ones))
	// They mostly wait, so more of them at once than -parallel would allow.
	var group errgroup.Group
	group.SetLimit(8)
	for i, b := range ones {
		verdicts[i] = sync.OnceValue(func() verdict { return b.judge(t) })
		if b.hungry {
			verdicts[i]()
		}
	}
	for _, judge := range verdicts {
		group.Go(func() error {
			judge()
			return nil
		})
	}
	for i, b := range ones {
		t.Run(b.rule+"/"+b.name, func(t *testing.T) {
			v := verdicts[i]()
			for _, text := range v.said {
				t.Log(text)
			}
			require.Equal(t, []string{b.rule}, v.rules)
		})
	}
	require.NoError(t, group.Wait())
}

// A verdict is what the suite says of an executor.
type verdict struct {
	rules []string // that it breaks
	said  []string
}

func (b broken) judge(t *testing.T) (v verdict) {
	t.Helper()
	c := healthy(b.durable)
	b.breaks(&c)
	for _, rule := range rules() {
		said := failures(t, rule, b.patience(c, rule.name))
		if len(said) > 0 {
			v.rules = append(v.rules, rule.name)
			v.said = append(v.said, said...)
		}
	}
	return v
}

// patience lets the checks of the broken rule, where something is waited for in
// vain, wait a short time, and the others for as long as it takes. To find
// nothing, the others need hardly wait at all.
func (b broken) patience(c Config, rule string) Config {
	if rule == b.rule {
		c.Patience, c.quiet = time.Second, max(b.quiet, 500*time.Millisecond)
	} else {
		c.quiet = time.Millisecond
	}
	return c
}

// failures runs all checks of a rule at once, since they mostly wait.
func failures(t *testing.T, rule rule, c Config) []string {
	t.Helper()
	said := make([][]string, len(rule.checks))
	var wg sync.WaitGroup
	for i, check := range rule.checks {
		wg.Go(func() {
			for _, text := range record(t, func(tb testing.TB) { tb.Helper(); check.on(tb, c) }) {
				said[i] = append(said[i], fmt.Sprintf("%s: %s: %s", rule.name, check.name, text))
			}
		})
	}
	wg.Wait()
	return slices.Concat(said...)
}

// TestUndeclared: what is missing has to be declared.
func TestUndeclared(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		check  func(l *lab)
		change func(c *Config)
		want   string // "": passes
	}{
		"a job that is missing": {kills, func(c *Config) { c.Jobs.Stubborn = nil }, "Stubborn"},
		"a reason":              {kills, func(c *Config) { c.Weaker.CannotKill = "because" }, ""},
		"a panic that is none":  {panics, func(c *Config) { c.Jobs.Panic = nil }, "Panic"},
		"no descendants":        {orphan, func(c *Config) { c.Jobs.Orphan = nil }, "Orphan"},
		"no tree":               {killsTree, func(c *Config) { c.Jobs.Tree = nil }, "Tree"},
		"no environment": {
			environment, func(c *Config) { c.Jobs.Environment = nil }, "Environment",
		},
		"no words": {arguments, func(c *Config) { c.Jobs.Arguments = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := healthy(false)
			test.change(&c)
			said := record(t, func(tb testing.TB) { tb.Helper(); check{run: test.check}.on(tb, c) })
			if test.want == "" {
				require.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			require.Contains(t, said[0], test.want)
		})
	}
}

// TestHungRun: a Run that never returns is found, and does not hang the suite.
func TestHungRun(t *testing.T) {
	t.Parallel()
	c := healthy(false)
	release := make(chan struct{})
	ended := make(chan struct{})
	c.New = func(testing.TB) executor.Executor {
		return executor.RunFunc(
			func(context.Context, *executor.Attempt) (executor.Result, error) {
				defer close(ended)
				<-release
				return executor.Result{}, nil
			})
	}
	c.Patience = 10 * time.Millisecond
	said := record(t, func(tb testing.TB) {
		tb.Helper()
		check{run: func(l *lab) { l.start(dag.Command("play")).succeed() }}.on(tb, c)
	})
	close(release)
	<-ended
	require.Len(t, said, 2)
}
