package statelog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// recordJSON is a Record as AppendJSON writes it.
type recordJSON struct {
	Seq      uint64           `json:"seq"`
	Kind     Kind             `json:"kind"`
	Time     time.Time        `json:"time"`
	Task     int              `json:"task"`
	Instance int              `json:"instance"`
	Attempt  int              `json:"attempt"`
	Node     string           `json:"node"`
	Ref      string           `json:"ref"`
	Start    time.Time        `json:"start"`
	Class    Class            `json:"class"`
	Result   *executor.Result `json:"result"`
	Output   *string          `json:"output"`
	Output64 []byte           `json:"output64"`
	Delay    string           `json:"delay"`
	Reason   string           `json:"reason"`
	Decision Decision         `json:"decision"`
	All      bool             `json:"all"`
	State    string           `json:"state"`
	Opened   *Opening         `json:"opened"`
	Pools    []Pool           `json:"pools"`
	Engine   string           `json:"engine"`
}

// UnmarshalJSON accepts what [Record.AppendJSON] writes. A member or a text that
// it does not know is an error: a record that is not understood as a whole is
// not understood.
func (rec *Record) UnmarshalJSON(data []byte) error {
	var in recordJSON
	if err := strict(data, &in); err != nil {
		return fmt.Errorf("statelog: record: %w", err)
	}
	out := Record{
		Seq: in.Seq, Kind: in.Kind, Time: in.Time,
		Task: in.Task, Instance: in.Instance, Attempt: in.Attempt,
		Node: in.Node, Ref: in.Ref,
		Start: in.Start, Class: in.Class, Result: in.Result, Reason: in.Reason,
		Decision: in.Decision, All: in.All,
		State: in.State, Opened: in.Opened, Pools: in.Pools, Engine: in.Engine,
	}
	if err := in.rest(&out); err != nil {
		return fmt.Errorf("statelog: record %d: %w", in.Seq, err)
	}
	*rec = out
	return nil
}

// rest checks the members, and decodes those that are not what they seem.
func (in *recordJSON) rest(out *Record) error {
	switch {
	case in.Kind == 0:
		return errors.New("there is no kind")
	case in.Output != nil && in.Output64 != nil:
		return errors.New("there is both output and output64")
	case in.Output != nil:
		out.Output = []byte(*in.Output)
	default:
		out.Output = in.Output64
	}
	for _, t := range []time.Time{in.Time, in.Start} {
		if err := checkTime(t); err != nil {
			return err
		}
	}
	if in.Delay == "" {
		return nil
	}
	var err error
	out.Delay, err = time.ParseDuration(in.Delay)
	return err
}

// anything is what was within the limits when the run was opened, whatever they
// were then.
var anything = dag.Limits{
	Tasks: -1, Instances: -1, Product: -1, GeneratorOutput: -1, Definition: -1, Depth: -1,
}

// UnmarshalJSON accepts what MarshalJSON writes.
func (op *Opening) UnmarshalJSON(data []byte) error {
	var in opening
	if err := strict(data, &in); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	*op = Opening{
		Version: in.Version, Expansion: in.Expansion, KeyPrefix: in.KeyPrefix, Seed: in.Seed,
		FailFast: in.FailFast, LongestPathFirst: in.LongestPathFirst, Tags: in.Tags,
	}
	if in.Definition == nil {
		return nil
	}
	d, err := anything.Parse(in.Definition)
	if err != nil {
		return fmt.Errorf("opening: definition: %w", err)
	}
	op.Definition = func() *dag.DAG { return d }
	return nil
}

// strict decodes one value and nothing that the target has no place for.
func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value")
	}
	return nil
}
