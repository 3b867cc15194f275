package runner

import (
	"context"

	"github.com/daggy-go/daggy/statelog"
)

func (r *Runner) Resume(ctx context.Context, id string) (*Handle, error) {
	return nil, statelog.ErrNoRun
}
