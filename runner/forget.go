package runner

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// forgetAtOnce bounds the keys in one call of Forget.
const forgetAtOnce = 1000

// forgetPause is how long to wait before an executor is asked again.
var forgetPause = plan.Backoff{Min: 100 * time.Millisecond, Max: 10 * time.Second}

// forgetClosed notes the keys of attempts of durable executors whose end is
// durable now (E5). It is called with mu held.
func (e *engine) forgetClosed(recs []statelog.Record) {
	if e.forgets == nil {
		return
	}
	noted := false
	for i := range recs {
		if pool, key, ok := e.closedKey(&recs[i]); ok {
			e.closed[pool] = append(e.closed[pool], key)
			noted = true
		}
	}
	if noted {
		select {
		case e.forgets <- struct{}{}:
		default:
		}
	}
}

// closedKey returns the key of the attempt that a record closes, and its pool, if
// its executor is durable.
func (e *engine) closedKey(rec *statelog.Record) (pool int, key string, ok bool) {
	switch rec.Kind {
	case statelog.Done, statelog.Lost, statelog.NotStarted:
	default:
		return 0, "", false
	}
	if rec.Attempt == 0 {
		return 0, "", false // a barrier
	}
	pool = e.def.pools.groups[e.plan.Group(rec.Task)].pool
	if !e.def.pools.list[pool].durable {
		return 0, "", false
	}
	return pool, attemptKey(e.key, rec.Task, rec.Instance, rec.Attempt), true
}

// forgetting is the goroutine that tells durable executors which keys they need not
// keep anything of. What another engine could not tell them comes first.
func (e *engine) forgetting() {
	e.forgetRecorded()
	for range e.forgets {
		closed := e.takeClosed()
		for pool := range e.def.pools.list { // always in the same order
			for keys := closed[pool]; len(keys) > 0; {
				n := min(len(keys), forgetAtOnce)
				e.forgetKeys(pool, keys[:n])
				keys = keys[n:]
			}
		}
	}
}

func (e *engine) takeClosed() map[int][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	closed := e.closed
	e.closed = map[int][]string{}
	return closed
}

// forgetRecorded repeats what engines before this one may not have said.
func (e *engine) forgetRecorded() {
	keys := map[int][]string{}
	for rec, err := range e.log.Read(e.ctx, e.run, 0) {
		if err != nil {
			e.logger.Warn("attempts cannot be forgotten, for the log cannot be read",
				slog.String("run", e.run), slog.Any("err", err))
			return
		}
		if rec.Seq > e.from {
			break
		}
		e.mu.Lock()
		pool, key, ok := e.closedKey(&rec)
		e.mu.Unlock()
		if !ok {
			continue
		}
		if keys[pool] = append(keys[pool], key); len(keys[pool]) == forgetAtOnce {
			e.forgetKeys(pool, keys[pool])
			keys[pool] = nil
		}
	}
	for pool := range e.def.pools.list {
		if len(keys[pool]) > 0 {
			e.forgetKeys(pool, keys[pool])
		}
	}
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
		pause := time.NewTimer(forgetPause.Delay(uint64(pool), 0, n))
		select {
		case <-pause.C:
		case <-e.ended:
			pause.Stop()
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
