package statelog

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MarshalJSON returns the record as [Record.AppendJSON] writes it.
func (rec Record) MarshalJSON() ([]byte, error) { return rec.AppendJSON(nil) }

// AppendJSON appends the record to dst as one JSON object without line breaks,
// and returns dst as it was and an error if there is a part that JSON cannot
// express.
//
// Members are named after the fields and left out when zero, except for the task
// of a record that is about one. Times are RFC 3339 in UTC, the delay is a
// duration such as "1m30s", and the definition is the DAG's own JSON. Output is
// a string, or base64 in output64 if it is not UTF-8; in other texts, what is
// not UTF-8 is replaced.
func (rec *Record) AppendJSON(dst []byte) ([]byte, error) {
	o := object{b: append(dst, '{')}
	o.number("seq", rec.Seq)
	word(&o, "kind", kinds, rec.Kind)
	o.time("time", rec.Time)
	if rec.Task != 0 || rec.Kind.ofTask() {
		o.name("task")
		o.b = strconv.AppendInt(o.b, int64(rec.Task), 10)
	}
	o.integer("instance", rec.Instance)
	o.integer("attempt", rec.Attempt)
	o.text("node", rec.Node)
	o.text("ref", rec.Ref)
	o.outcome(rec)
	o.run(rec)
	if o.err != nil {
		return dst, fmt.Errorf("statelog: record %d: %w", rec.Seq, o.err)
	}
	return append(o.b, '}'), nil
}

// ofTask reports whether records of this kind are about a task.
func (k Kind) ofTask() bool { return Intent <= k && k <= Decided }

// outcome writes what records of an attempt's end have.
func (o *object) outcome(rec *Record) {
	o.time("start", rec.Start)
	if rec.Class != Success {
		word(o, "class", classes, rec.Class)
	}
	if rec.Result != nil {
		o.value("result", rec.Result)
	}
	switch {
	case rec.Output == nil:
	case utf8.Valid(rec.Output):
		o.name("output")
		o.quote(string(rec.Output))
	default:
		o.value("output64", rec.Output)
	}
	if rec.Delay != 0 {
		o.text("delay", rec.Delay.String())
	}
	o.text("reason", rec.Reason)
}

// run writes what records of the whole run have, and decisions.
func (o *object) run(rec *Record) {
	if rec.Decision != 0 {
		word(o, "decision", decisions, rec.Decision)
	}
	if rec.All {
		o.value("all", true)
	}
	o.text("state", rec.State)
	if rec.Opened != nil {
		o.value("opened", rec.Opened)
	}
	if len(rec.Pools) > 0 {
		o.value("pools", rec.Pools)
	}
	o.text("engine", rec.Engine)
}

// opening is an Opening in JSON.
type opening struct {
	Version          int               `json:"version"`
	Expansion        int               `json:"expansion"`
	KeyPrefix        string            `json:"keyPrefix,omitempty"`
	Seed             uint64            `json:"seed,string,omitempty"`
	FailFast         bool              `json:"failFast,omitempty"`
	LongestPathFirst bool              `json:"longestPathFirst,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	Definition       json.RawMessage   `json:"definition,omitempty"`
}

// MarshalJSON writes the definition as the DAG's own JSON, and the seed as a
// string, since it is more than many readers of JSON can count to.
func (op *Opening) MarshalJSON() ([]byte, error) {
	o := opening{
		Version: op.Version, Expansion: op.Expansion, KeyPrefix: op.KeyPrefix, Seed: op.Seed,
		FailFast: op.FailFast, LongestPathFirst: op.LongestPathFirst, Tags: op.Tags,
	}
	if op.Definition != nil {
		var err error
		if o.Definition, err = json.Marshal(op.Definition()); err != nil {
			return nil, err
		}
	}
	return json.Marshal(o)
}

// An object is a JSON object that is being written, and the first error.
type object struct {
	b   []byte
	err error
}

func (o *object) name(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) number(name string, v uint64) {
	if v != 0 {
		o.name(name)
		o.b = strconv.AppendUint(o.b, v, 10)
	}
}

func (o *object) integer(name string, v int) {
	if v != 0 {
		o.name(name)
		o.b = strconv.AppendInt(o.b, int64(v), 10)
	}
}

func (o *object) text(name, v string) {
	if v != "" {
		o.name(name)
		o.quote(v)
	}
}

func (o *object) quote(v string) {
	for i := range len(v) {
		if c := v[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			// A string is never an error.
			_ = o.marshal(strings.ToValidUTF8(v, "\ufffd"))
			return
		}
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, v...)
	o.b = append(o.b, '"')
}

func (o *object) time(name string, t time.Time) {
	if t.IsZero() {
		return
	}
	t = t.UTC()
	if err := checkTime(t); err != nil {
		o.fail(name, err)
		return
	}
	o.name(name)
	o.b = append(o.b, '"')
	o.b = t.AppendFormat(o.b, time.RFC3339Nano)
	o.b = append(o.b, '"')
}

// checkTime refuses what RFC 3339 cannot express.
func checkTime(t time.Time) error {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return fmt.Errorf("the year %d has not four digits", y)
	}
	return nil
}

func word[T ~uint8](o *object, name string, texts []string, v T) {
	if !known(texts, v) {
		o.fail(name, fmt.Errorf("there is no %s %d", name, v))
		return
	}
	o.text(name, texts[v])
}

func (o *object) value(name string, v any) {
	o.name(name)
	if err := o.marshal(v); err != nil {
		o.fail(name, err)
	}
}

func (o *object) marshal(v any) error {
	b, err := json.Marshal(v)
	o.b = append(o.b, b...)
	return err
}

func (o *object) fail(name string, err error) {
	if o.err == nil {
		o.err = fmt.Errorf("%s: %w", name, err)
	}
}
