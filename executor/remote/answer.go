package remote

import (
	"fmt"
	"net/http"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/internal/wire"
)

// notStarted takes that certainly nothing was started by the request that is answered.
func (n *node) notStarted(e *entry, after time.Duration, reason string) {
	switch {
	case e.closing:
		// The close decides.
	case e.maybe > 0 || e.resume:
		// Another request may still be on its way. Only the same again is safe.
		n.retry(e, max(after, minRetry))
	default:
		e.end(&executor.NotStartedError{RetryAfter: after, Err: n.says(reason)})
	}
}

// answered takes the answer to the submission of e.
func (n *node) answered(e *entry, status int, p *wire.Problem) {
	if p == nil {
		p = &wire.Problem{}
	}
	if e.over {
		return
	}
	switch status {
	case http.StatusOK, http.StatusCreated:
		e.owned, e.mine = true, true
	case http.StatusGone:
		n.keyClosed(e, p)
	case http.StatusTooManyRequests:
		n.refused(e, p)
	case http.StatusServiceUnavailable:
		n.pause(max(p.Retry(), minRetry), p.Text)
		n.notStarted(e, p.Retry(), p.Text)
	case http.StatusUnprocessableEntity:
		if p.Code == wire.CodeNever {
			n.loseSafely(e, p.Text)
			return
		}
		e.end(executor.Permanent(n.says(p.Text)))
	case http.StatusPreconditionFailed:
		if !e.closing {
			n.retry(e, minRetry)
		}
	case http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge:
		e.end(executor.Permanent(n.says(p.Text)))
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		// Nothing of this task's, and it says nothing.
		e.maybe++
		n.retry(e, n.backoff(1))
	default:
		e.end(n.says(fmt.Sprintf("it answers %d to a submission: %s", status, p.Text)))
	}
}

// refused is an answer that the node takes nothing new, or not this.
func (n *node) refused(e *entry, p *wire.Problem) {
	switch p.Code {
	case wire.CodeStale:
		if !e.closing {
			n.retry(e, minRetry)
		}
	case wire.CodeDraining:
		n.draining = true
		n.place()
		n.loseSafely(e, p.Text)
	default:
		n.notStarted(e, p.Retry(), p.Text)
	}
}

// keyClosed is an answer that nothing runs under the key nor ever will.
func (n *node) keyClosed(e *entry, p *wire.Problem) {
	if p.Lost {
		n.lose(e, p.Text)
		return
	}
	e.end(n.says(p.Text))
}
