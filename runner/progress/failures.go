package progress

import (
	"fmt"
	"slices"
	"time"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/runner"
)

// failures are the last attempts that failed. Those that will be tried again
// never displace those that will not.
type failures struct {
	final, retried last
}

// A failure is an attempt that failed. It is put into words when it is drawn.
type failure struct {
	instance string
	result   *executor.Result
	reason   string
	again    time.Time // of the next attempt; zero: there is none
}

func newFailures(n int) failures {
	n = max(1, n) // lines name the last one in any case
	return failures{final: newLast(n), retried: newLast(n)}
}

func (f *failures) add(ev *runner.Event) {
	e := failure{instance: ev.Instance, result: ev.Result, reason: ev.Reason}
	f.retried.forget(e.instance)
	if ev.Delay < 0 {
		f.final.add(e)
		return
	}
	e.again = ev.Time.Add(ev.Delay)
	f.retried.add(e)
}

// newest returns at most n failures: the final ones, the newest first, and then
// the others, unless all is over.
func (f *failures) newest(n int, over bool) []failure {
	list := f.final.appendTo(nil, n)
	if over {
		return list
	}
	return f.retried.appendTo(list, n)
}

func (f *failure) describe(now time.Time) string {
	s := name(f.instance) + ": " + clip(quote(firstLine(f.cause())), maxReason)
	switch wait := f.again.Sub(now); {
	case f.again.IsZero():
		return s
	case wait > 0:
		return s + ", again in " + duration(wait)
	}
	return s + ", tried again"
}

func (f *failure) cause() string {
	switch {
	case f.result == nil || f.result.OK():
		return f.reason
	case f.reason == "":
		return f.result.String()
	}
	return fmt.Sprintf("%s: %s", f.result, f.reason)
}

// last keeps the last few failures that were added, at most cap(list), oldest
// first.
type last struct{ list []failure }

func newLast(n int) last { return last{make([]failure, 0, n)} }

func (l *last) add(f failure) {
	if len(l.list) == cap(l.list) {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, f)
}

// forget removes what is there of an instance.
func (l *last) forget(instance string) {
	l.list = slices.DeleteFunc(l.list, func(f failure) bool { return f.instance == instance })
}

// appendTo appends the newest first, until to has n.
func (l *last) appendTo(to []failure, n int) []failure {
	for i := len(l.list) - 1; i >= 0 && len(to) < n; i-- {
		to = append(to, l.list[i])
	}
	return to
}
