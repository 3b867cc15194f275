package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// ackAgain is when keys are acknowledged again that had not ended: they were given
// up here, and their leases end.
const ackAgain = 5 * time.Second

// mostKeys is how many keys are in a request, so that an answer that names all of them
// can be read.
const mostKeys = 10_000

// acking is some keys whose outcomes are recorded.
type acking struct {
	keys []string
	done chan struct{} // closed when the node knows. Nil: nobody waits
	at   time.Time     // not before
}

// owe has keys acknowledged, unless the node is gone: then nobody has to know any more.
// mu is held.
func (n *node) owe(a *acking) {
	if n.gone {
		a.told()
		return
	}
	n.acks = append(n.acks, a)
}

// told lets who waits go on. mu of the node is held.
func (a *acking) told() {
	if a.done != nil {
		close(a.done)
		a.done = nil
	}
}

// Forget tells the nodes that these outcomes are recorded (E5). Nodes that are away
// are told when they are back, without Forget waiting for that. A key that this
// executor has not run is told to all nodes, since it may have run on any.
func (e *Executor) Forget(ctx context.Context, keys ...string) error {
	waiting := map[*node]chan struct{}{}
	for n, keys := range e.whose(keys) {
		n.mu.Lock()
		done := make(chan struct{})
		n.owe(&acking{keys: keys, done: done})
		if n.up && n.failures == 0 {
			waiting[n] = done
		}
		n.mu.Unlock()
		n.wake()
	}
	var late []string
	for n, done := range waiting {
		select {
		case <-done:
		case <-ctx.Done():
			late = append(late, n.name)
		case <-e.closed:
			return errClosed
		}
	}
	if len(late) > 0 {
		slices.Sort(late)
		return fmt.Errorf("remote: nodes that have not answered: %s: %w",
			strings.Join(late, ", "), context.Cause(ctx))
	}
	return nil
}

// whose sorts keys by the nodes that have to be told.
func (e *Executor) whose(keys []string) map[*node][]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	by := map[*node][]string{}
	for _, key := range keys {
		if wire.CheckKey(key) != nil {
			continue // no node can have it
		}
		if n := e.kept[key]; n != nil {
			delete(e.kept, key)
			by[n] = append(by[n], key)
			continue
		}
		for _, n := range e.nodes {
			by[n] = append(by[n], key)
		}
	}
	return by
}

// dueAcks takes what is to be acknowledged now, as much as may be in one request.
func (n *node) dueAcks(until func(time.Time) bool) (batch []*acking, keys []string) {
	n.acks = slices.DeleteFunc(n.acks, func(a *acking) bool {
		if until(a.at) || len(batch) > 0 && len(keys)+len(a.keys) > mostKeys {
			return false
		}
		batch, keys = append(batch, a), append(keys, a.keys...)
		return true
	})
	return batch, keys
}

// acknowledge tells the node of the keys of batch.
func (n *node) acknowledge(batch []*acking, keys []string) task {
	return func(ctx context.Context, p peer) {
		open, err := n.tell(ctx, p, keys)
		n.mu.Lock()
		defer n.mu.Unlock()
		if status, ok := errors.AsType[*statusError](err); ok &&
			status.Status == http.StatusServiceUnavailable {
			for _, a := range batch {
				a.at = time.Now().Add(max(status.Problem.Retry(), minRetry))
			}
		}
		if err != nil && !n.gone { // then nobody has to know any more
			n.acks = append(batch, n.acks...)
			n.letGo() // it may have left the fleet
			return
		}
		for _, a := range batch {
			a.told()
		}
		if len(open) > 0 {
			n.owe(&acking{keys: open, at: time.Now().Add(ackAgain)})
		}
		n.maybeLeave()
	}
}

// tell acknowledges keys and returns those that have not ended.
func (n *node) tell(ctx context.Context, p peer, keys []string) ([]string, error) {
	if most := mostKeys; len(keys) > most {
		open, err := n.tell(ctx, p, keys[:most])
		if err != nil {
			return nil, err
		}
		rest, err := n.tell(ctx, p, keys[most:])
		return append(open, rest...), err
	}
	body, err := json.Marshal(wire.Keys{Keys: keys})
	if err != nil {
		return nil, err
	}
	var answer wire.Acknowledged
	ask := request{method: http.MethodPost, path: wire.PathAck, body: body}
	err = n.fetch(ctx, p, ask, &answer)
	return answer.Open, err
}
