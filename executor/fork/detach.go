package fork

import (
	"context"
	"fmt"

	"github.com/daggy-go/daggy/executor"
)

var _ executor.Durable = (*Executor)(nil)

// Durable reports whether attempts outlive the engine: they do if [Config.Dir] is
// set.
func (e *Executor) Durable() bool { return e.client != nil }

// Forget says that the outcomes of these keys are recorded. Their output is
// removed. That they were used stays known, so that they never start again; it
// may be repeated, and unknown keys are used from then on. What runs is left
// alone. Without [Config.Dir] it does nothing.
func (e *Executor) Forget(ctx context.Context, keys ...string) error {
	if e.client == nil || len(keys) == 0 {
		return nil
	}
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return fmt.Errorf("fork: forget: %w", err)
		}
	}
	if err := e.client.forget(ctx, keys); err != nil {
		return fmt.Errorf("fork: forget: %w", err)
	}
	return nil
}

// checkKey refuses what is not safe in file names.
func checkKey(key string) error {
	const most = 64
	ok := key != "" && len(key) <= most
	for _, c := range key {
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-')
	}
	if !ok {
		return fmt.Errorf("key %q is not made of 1 to %d of a-z, 0-9 and '-'", key, most)
	}
	return nil
}
