package journal

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A set that is written and read again has the same keys, and no others.
func TestUsed(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	u, want := newUsed(), map[string]bool{}
	for range 5000 {
		key := fmt.Sprintf("run%d-%d-%d-%d", random.IntN(2), random.IntN(20), random.IntN(50),
			1+random.IntN(3))
		if random.IntN(10) == 0 {
			key = fmt.Sprintf("key-%d", random.IntN(100))
		}
		u.add(key)
		want[key] = true
	}
	again := newUsed()
	require.NoError(t, u.records(func(k kind, body []byte) error {
		j := &Journal{entries: map[string]*Entry{}, used: again}
		return j.apply(k, body, extent{})
	}))
	require.Equal(t, u, again)
	for run := range 3 {
		for task := range 21 {
			for instance := range 51 {
				key := fmt.Sprintf("run%d-%d-%d-1", run, task, instance)
				require.Equal(t, want[key], again.has(key), key)
			}
		}
	}
	for i := range 101 {
		key := fmt.Sprintf("key-%d", i)
		require.Equal(t, want[key], again.has(key), key)
	}
}

// The keys of a run take a range or two, whether they are many instances of a task
// or many tasks, though they do not come in order.
func TestUsedIsSmall(t *testing.T) {
	t.Parallel()
	const n, window = 100_000, 1000
	random := rand.New(rand.NewPCG(3, 4))
	var order []int
	for from := 0; from < n; from += window {
		for _, i := range random.Perm(window) {
			order = append(order, from+i)
		}
	}
	for name, format := range map[string]string{
		"instances": "run-7-%d-1", "tasks": "run-%d-0-1",
	} {
		u, spans := newUsed(), 0
		for _, i := range order {
			u.add(fmt.Sprintf(format, i))
		}
		for _, r := range u.ranges {
			spans += len(*r)
		}
		require.LessOrEqual(t, spans, 2, name)
		require.Empty(t, u.others)
	}
}

// Keys that look alike are not taken for each other.
func TestUsedTellsApart(t *testing.T) {
	t.Parallel()
	keys := []string{
		"a-1-2-3", "a-01-2-3", "a-1-02-3", "a-1-2-03", "a-1-2-", "1-2-3", "-1-2-3", "a-1-0-3",
		"a-0-1-3", "a-1-2-3-4", "a-123-4-5", "a-999999999999999999999-1-1", "",
	}
	for i, key := range keys {
		u := newUsed()
		u.add(key)
		for k, other := range keys {
			require.Equal(t, i == k, u.has(other), "%q and %q", key, other)
		}
	}
}
