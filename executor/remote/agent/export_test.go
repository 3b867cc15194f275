package agent

import (
	"context"

	"github.com/daggy-go/daggy/statelog/filelog"
)

// A Store is where a journal is kept.
type Store = store

// NewWithStore is New with a journal whose log is what wrap makes of it.
func NewWithStore(ctx context.Context, c Config, wrap func(Store) Store) (*Agent, error) {
	open := func(ctx context.Context, dir string, c filelog.Config) (store, error) {
		log, err := openFiles(ctx, dir, c)
		if err != nil {
			return nil, err
		}
		return wrap(log), nil
	}
	return newAgent(ctx, c, open)
}
