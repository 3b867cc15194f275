package redislog

import (
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/statelog"
)

// documentVersion changes when members change their meaning.
const documentVersion = 1

// A runDocument is what other programs read of a run, see DOCUMENTS.md.
type runDocument struct {
	Version   int               `json:"version"`
	Run       string            `json:"run"`
	Seq       uint64            `json:"seq"`
	State     string            `json:"state"`
	Reason    string            `json:"reason,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
	Engine    string            `json:"engine,omitempty"`
	Opened    time.Time         `json:"opened,omitzero"`
	Closed    time.Time         `json:"closed,omitzero"`
	Tasks     int               `json:"tasks"`
	Instances int               `json:"instances"`
	Counts    counts            `json:"counts"`
}

// counts are of instances. Who never started is waiting while the run is open and
// skipped when it is closed.
type counts struct {
	Waiting   int `json:"waiting"`
	Running   int `json:"running"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Killed    int `json:"killed"`
	Skipped   int `json:"skipped"`
}

// A taskDocument is what other programs read of an instance of a task.
type taskDocument struct {
	Version  int              `json:"version"`
	Run      string           `json:"run"`
	Seq      uint64           `json:"seq"`
	Task     string           `json:"task"`
	Instance string           `json:"instance"`
	State    string           `json:"state"`
	Attempts int              `json:"attempts"`
	Node     string           `json:"node,omitempty"`
	Ref      string           `json:"ref,omitempty"`
	Started  time.Time        `json:"started,omitzero"`
	Ended    time.Time        `json:"ended,omitzero"`
	RetryAt  time.Time        `json:"retryAt,omitzero"`
	Class    string           `json:"class,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Result   *executor.Result `json:"result,omitempty"`
}

// A state is that of an instance, as far as records say.
type state uint8

const (
	waiting state = iota // for its first attempt or for another one
	running
	completed
	failed
	killed
	states
)

var stateNames = [states]string{"waiting", "running", "completed", "failed", "killed"}

// stateAfter returns the state after the end of an attempt.
func stateAfter(rec *statelog.Record) state {
	switch {
	case rec.Class == statelog.Success && rec.Kind == statelog.Done:
		return completed
	case rec.Delay >= 0 || rec.Class == statelog.Interrupted:
		return waiting
	case rec.Class == statelog.Killed:
		return killed
	}
	return failed
}
