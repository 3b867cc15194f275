package keyset

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A set that is written and read again has the same keys, and no others.
func TestSet(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	u, want := New(), map[string]bool{}
	for range 5000 {
		key := fmt.Sprintf("run%d-%d-%d-%d", random.IntN(2), random.IntN(20), random.IntN(50),
			1+random.IntN(3))
		if random.IntN(10) == 0 {
			key = fmt.Sprintf("key-%d", random.IntN(100))
		}
		u.Add(key)
		want[key] = true
	}
	again := New()
	require.NoError(t, u.Parts(func(part []byte, keys []string) error {
		for _, key := range keys {
			again.Add(key)
		}
		if part == nil {
			return nil
		}
		return again.AddRanges(part)
	}))
	require.Equal(t, u, again)
	spans := len(u.others)
	for _, r := range u.ranges {
		spans += len(*r)
	}
	require.Equal(t, spans, u.Spans())
	for run := range 3 {
		for task := range 21 {
			for instance := range 51 {
				key := fmt.Sprintf("run%d-%d-%d-1", run, task, instance)
				require.Equal(t, want[key], again.Has(key), key)
			}
		}
	}
	for i := range 101 {
		key := fmt.Sprintf("key-%d", i)
		require.Equal(t, want[key], again.Has(key), key)
	}
}

// The keys of a run take a range or two, whether they are many instances of a task
// or many tasks, though they do not come in order.
func TestSetIsSmall(t *testing.T) {
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
		u := New()
		for _, i := range order {
			u.Add(fmt.Sprintf(format, i))
		}
		require.LessOrEqual(t, u.Spans(), 2, name)
		require.Empty(t, u.others)
	}
}

// Keys that look alike are not taken for each other.
func TestSetTellsApart(t *testing.T) {
	t.Parallel()
	keys := []string{
		"a-1-2-3", "a-01-2-3", "a-1-02-3", "a-1-2-03", "a-1-2-", "1-2-3", "-1-2-3", "a-1-0-3",
		"a-0-1-3", "a-1-2-3-4", "a-123-4-5", "a-999999999999999999999-1-1", "",
	}
	for i, key := range keys {
		u := New()
		u.Add(key)
		for k, other := range keys {
			require.Equal(t, i == k, u.Has(other), "%q and %q", key, other)
		}
	}
}

// Nothing makes it panic, and what is refused adds nothing.
func FuzzAddRanges(f *testing.F) {
	u := New()
	u.Add("run-1-2-3")
	require.NoError(f, u.Parts(func(part []byte, _ []string) error {
		f.Add(part)
		return nil
	}))
	f.Fuzz(func(t *testing.T, part []byte) {
		u := New()
		if u.AddRanges(part) != nil {
			require.Zero(t, u.Spans())
		}
	})
}
