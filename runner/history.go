package runner

import (
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// history is what the log says of the attempts, by instance.
type history struct {
	started    []int32 // attempts, but for those that were withdrawn
	number     []int32 // of the last of them
	start, end []int64
	details    map[int]detail
	nodes      map[int]string
	before     map[int]timing // of the attempt before one that may be withdrawn
}

// detail is what is kept of the last attempt if there is something to say of it.
type detail struct {
	class  Class
	reason string
	result executor.Result
}

type timing struct {
	number     int32
	start, end int64
}

func (h *history) add(firsts []int32, rec *statelog.Record) {
	switch rec.Kind {
	case statelog.Intent, statelog.Started, statelog.Done, statelog.Lost, statelog.NotStarted:
	default:
		return
	}
	if rec.Task >= len(firsts)-1 {
		return
	}
	k := int(firsts[rec.Task]) + rec.Instance
	if rec.Node != "" {
		h.nodes[k] = rec.Node
	}
	switch rec.Kind {
	case statelog.Intent:
		if h.started[k] > 0 {
			h.before[k] = timing{h.number[k], h.start[k], h.end[k]}
		}
		h.started[k]++
		h.number[k] = int32(rec.Attempt)
		h.start[k], h.end[k] = rec.Time.UnixNano(), 0
	case statelog.NotStarted:
		b := h.before[k]
		h.started[k]--
		h.number[k], h.start[k], h.end[k] = b.number, b.start, b.end
	case statelog.Started:
		h.start[k] = rec.Time.UnixNano()
	default:
		h.ended(k, rec)
	}
}

// ended takes the end of an attempt.
func (h *history) ended(k int, rec *statelog.Record) {
	h.start[k], h.end[k] = rec.Start.UnixNano(), rec.Time.UnixNano()
	if rec.Result == nil && rec.Class == statelog.Success && rec.Reason == "" {
		if len(h.details) > 0 {
			delete(h.details, k)
		}
		return
	}
	d := detail{class: rec.Class, reason: rec.Reason}
	if rec.Result != nil {
		d.result = *rec.Result
	}
	h.details[k] = d
}
