package runner

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// forgetAtOnce bounds the keys in one call of Forget.
const forgetAtOnce = 1000

// forgetPause is how long to wait before an executor is asked again.
var forgetPause = plan.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}

// attemptRef is what the key of an attempt derives from.
type attemptRef struct{ task, instance, number int32 }

// noteClosed notes an attempt of a durable executor that the record closes, and
// reports whether it is one. Its end is durable, so that the executor may forget it
// (E5). What engines before this one recorded is noted too: they may not have come
// to say it.
func (e *engine) noteClosed(rec *statelog.Record) bool {
	switch rec.Kind {
	case statelog.Done, statelog.Lost, statelog.NotStarted:
	default:
		return false
	}
	pool := e.def.pools.groups[e.plan.Group(rec.Task)].pool
	if rec.Attempt == 0 || !e.def.pools.list[pool].durable {
		return false // a barrier has no attempt
	}
	e.closed[pool] = append(e.closed[pool],
		attemptRef{int32(rec.Task), int32(rec.Instance), int32(rec.Attempt)})
	return true
}

// forgetClosed has executors told of the attempts that records close which have
// just become durable. It is called with mu held.
func (e *engine) forgetClosed(recs []statelog.Record) {
	if e.forgets == nil {
		return
	}
	noted := false
	for i := range recs {
		noted = e.noteClosed(&recs[i]) || noted
	}
	if noted {
		e.wakeForgetting()
	}
}

func (e *engine) wakeForgetting() {
	select {
	case e.forgets <- struct{}{}:
	default:
	}
}

// forgetting is the goroutine that tells durable executors which keys they need not
// keep anything of.
func (e *engine) forgetting() {
	for range e.forgets {
		for pool, closed := range e.takeClosed() {
			for refs := range slices.Chunk(closed, forgetAtOnce) {
				keys := make([]string, len(refs))
				for i, r := range refs {
					keys[i] = attemptKey(e.key, int(r.task), int(r.instance), int(r.number))
				}
				e.forgetKeys(pool, keys)
			}
		}
	}
}

func (e *engine) takeClosed() [][]attemptRef {
	e.mu.Lock()
	defer e.mu.Unlock()
	closed := e.closed
	e.closed = make([][]attemptRef, len(closed))
	return closed
}

// forgetKeys tells an executor until it has heard, or the run is over and it does
// not listen: then the next engine says it again.
func (e *engine) forgetKeys(pool int, keys []string) {
	def := &e.def.pools.list[pool]
	durable, ok := executor.As[executor.Durable](def.executor)
	if !ok {
		return
	}
	for n := 1; ; n++ {
		err := e.forgetOnce(durable, keys)
		if err == nil {
			return
		}
		if !passes(forgetPause.Delay(uint64(pool), 0, n), e.ended) {
			e.logger.Warn("executor does not forget attempts that are recorded",
				slog.String("run", e.run), slog.String("pool", def.name),
				slog.Int("attempts", len(keys)), slog.Any("err", err))
			return
		}
	}
}

func (e *engine) forgetOnce(durable executor.Durable, keys []string) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), storeTry)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return durable.Forget(ctx, keys...)
}
