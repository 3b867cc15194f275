package wire

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
)

// What becomes of an output.
const (
	Keep = ""     // it is kept until it is acknowledged
	Drop = "drop" // it is thrown away
	Join = "join" // of stderr: it goes where stdout goes, in the order of writing
)

// A Submission is an attempt that a client wants to be run.
type Submission struct {
	Key                 string
	Run, Task, Instance string
	Index, Number       int
	Job                 dag.Job
	PoolOptions         map[string]any
	// Node is what the engine calls the daemon's machine.
	Node string
	// Resumed: the engine's log had the attempt before.
	Resumed bool
	Ref     string
	// Lease is how long the attempt goes on without a renewal. 0: for ever.
	Lease time.Duration
	// Stdout is Keep or Drop, Stderr also Join.
	Stdout, Stderr string
}

// Append appends s as JSON, without a line end. It fails if JSON cannot hold it:
// texts that are not UTF-8, options that encoding/json refuses.
func (s *Submission) Append(b []byte) ([]byte, error) {
	if err := s.encodable(); err != nil {
		return b, err
	}
	before := len(b)
	w := writer{b: b}
	w.open()
	w.text("key", s.Key)
	w.text("run", s.Run)
	w.text("task", s.Task)
	if s.Instance != s.Task {
		w.text("instance", s.Instance)
	}
	w.int("index", int64(s.Index))
	w.int("number", int64(s.Number))
	w.name("job")
	err := w.job(&s.Job)
	if err == nil {
		err = w.options("poolOptions", s.PoolOptions)
	}
	if err != nil {
		return b[:before], err
	}
	w.text("node", s.Node)
	w.bool("resumed", s.Resumed)
	w.text("ref", s.Ref)
	w.seconds("leaseSeconds", s.Lease)
	w.text("stdout", s.Stdout)
	w.text("stderr", s.Stderr)
	w.close()
	return w.b, nil
}

func (w *writer) job(j *dag.Job) error {
	w.open()
	defer w.close()
	w.texts("command", j.Command)
	w.text("commandString", j.CommandString)
	w.texts("environment", j.Environment)
	w.text("workDir", j.WorkDir)
	w.seconds("timeLimitSeconds", j.TimeLimit)
	if len(j.Resources) > 0 {
		w.resources("resources", j.Resources)
	}
	return w.options("options", j.Options)
}

func (w *writer) resources(name string, r dag.Resources) {
	w.name(name)
	w.open()
	var few [8]string // most have no more, and then this takes no memory
	names := few[:0]
	for resource := range r {
		names = append(names, resource)
	}
	slices.Sort(names)
	for _, resource := range names {
		if !w.bare {
			w.b = append(w.b, ',')
		}
		w.bare = false
		w.b = appendString(w.b, resource)
		w.b = append(w.b, ':')
		w.b = strconv.AppendInt(w.b, r[resource], 10)
	}
	w.close()
}

// options writes what encoding/json makes of it, which sorts the members.
func (w *writer) options(name string, options map[string]any) error {
	if len(options) == 0 {
		return nil
	}
	data, err := json.Marshal(options)
	if err != nil {
		return bad(name, err.Error())
	}
	w.name(name)
	w.b = append(w.b, data...)
	return nil
}

// encodable looks for texts that JSON cannot hold.
func (s *Submission) encodable() error {
	for _, t := range [...]struct{ field, text string }{
		{"run", s.Run},
		{"task", s.Task},
		{"instance", s.Instance},
		{"node", s.Node},
		{"ref", s.Ref},
		{"job.commandString", s.Job.CommandString},
		{"job.workDir", s.Job.WorkDir},
	} {
		if !utf8.ValidString(t.text) {
			return notUTF8(t.field, t.text)
		}
	}
	for i, word := range s.Job.Command {
		if !utf8.ValidString(word) {
			return notUTF8(fmt.Sprintf("job.command[%d]", i), word)
		}
	}
	for i, entry := range s.Job.Environment {
		if !utf8.ValidString(entry) {
			// Its value may be a secret.
			return bad(fmt.Sprintf("job.environment[%d]", i), "this is not UTF-8")
		}
	}
	return nil
}

func notUTF8(field, text string) error { return bad(field, shorten(text)+" is not UTF-8") }

// ParseSubmission reads a submission, strictly. What it returns shares nothing
// with data. Texts may share the memory of all of it. The error is a [*BadError].
func ParseSubmission(data []byte) (*Submission, error) {
	sub, err := parseSubmission(data)
	if err != nil {
		return sub, err
	}
	return sub, sub.check()
}

func parseSubmission(data []byte) (*Submission, error) {
	s := scanner{data: data}
	if len(data) <= mostShared {
		// One copy for all texts. What outlives the submission is copied again.
		s.shared = string(data)
	}
	sub := &Submission{}
	var seen uint32
	s.object("", func(name []byte) { s.submission(sub, name, &seen) })
	if err := s.end(); err != nil {
		return sub, err
	}
	if sub.Instance == "" {
		sub.Instance = sub.Task
	}
	return sub, nil
}

// The members that there are.
var (
	submissionMembers = []string{
		"key", "run", "task", "instance", "index", "number", "job", "poolOptions", "node",
		"resumed", "ref", "leaseSeconds", "stdout", "stderr",
	}
	jobMembers = []string{
		"command", "commandString", "environment", "workDir", "timeLimitSeconds",
		"resources", "options",
	}
)

// submission reads the value of a member.
func (s *scanner) submission(sub *Submission, name []byte, seen *uint32) {
	switch s.known(name, "", submissionMembers, seen) {
	case "key":
		sub.Key = s.text("key")
	case "run":
		sub.Run = s.text("run")
	case "task":
		sub.Task = s.text("task")
	case "instance":
		sub.Instance = s.text("instance")
	case "index":
		sub.Index = s.count("index")
	case "number":
		sub.Number = s.count("number")
	case "job":
		s.job(&sub.Job)
	case "poolOptions":
		sub.PoolOptions = s.options("poolOptions")
	case "node":
		sub.Node = s.text("node")
	case "resumed":
		sub.Resumed = s.bool("resumed")
	case "ref":
		sub.Ref = s.text("ref")
	case "leaseSeconds":
		sub.Lease = s.seconds("leaseSeconds")
	case "stdout":
		sub.Stdout = s.text("stdout")
	case "stderr":
		sub.Stderr = s.text("stderr")
	}
}

func (s *scanner) job(j *dag.Job) {
	var seen uint32
	s.object("job", func(name []byte) {
		switch s.known(name, "job.", jobMembers, &seen) {
		case "command":
			j.Command = s.texts("job.command")
		case "commandString":
			j.CommandString = s.text("job.commandString")
		case "environment":
			j.Environment = s.texts("job.environment")
		case "workDir":
			j.WorkDir = s.text("job.workDir")
		case "timeLimitSeconds":
			j.TimeLimit = s.seconds("job.timeLimitSeconds")
		case "resources":
			j.Resources = s.resources("job.resources")
		case "options":
			j.Options = s.options("job.options")
		}
	})
}

func (s *scanner) resources(field string) dag.Resources {
	r := dag.Resources{}
	s.object(field, func(name []byte) {
		resource := resourceName(name)
		if _, there := r[resource]; there {
			s.fail(field, "the resource "+shorten(resource)+" is there twice")
			return
		}
		if r[resource] = s.int(field); r[resource] < 0 {
			s.fail(field, "the resource "+shorten(resource)+" cannot be negative")
		}
	})
	return r
}

// resourceName takes no memory for those that are known.
func resourceName(name []byte) string {
	for _, known := range [...]string{dag.Cores, dag.MemoryMB, dag.GPUs} {
		if string(name) == known {
			return known
		}
	}
	return string(name)
}

// check refuses what cannot be meant.
func (s *Submission) check() error {
	if err := CheckKey(s.Key); err != nil {
		return err
	}
	switch {
	case s.Job.TimeLimit < 0:
		return bad("job.timeLimitSeconds", "this cannot be negative")
	case s.Lease < 0:
		return bad("leaseSeconds", "this cannot be negative")
	case s.Stdout != Keep && s.Stdout != Drop:
		return bad("stdout", `this must be "drop", or left out`)
	case s.Stderr != Keep && s.Stderr != Drop && s.Stderr != Join:
		return bad("stderr", `this must be "drop" or "join", or left out`)
	}
	return nil
}

// Fill makes a what an executor is given. Outputs and OnReport are the caller's to
// set.
func (s *Submission) Fill(a *executor.Attempt) {
	*a = executor.Attempt{
		Run: s.Run, Task: s.Task, Instance: s.Instance, Index: s.Index, Number: s.Number,
		Key: s.Key, Job: s.Job, PoolOptions: s.PoolOptions, Node: s.Node,
		Resumed: s.Resumed, Ref: s.Ref,
	}
}

// ParseSubmissionOf is ParseSubmission for a submission under a key, which it need
// not name itself.
func ParseSubmissionOf(key string, data []byte) (*Submission, error) {
	sub, err := parseSubmission(data)
	if err != nil {
		return sub, err
	}
	if sub.Key != "" && sub.Key != key {
		return sub, bad("key", "this is another key than that of the path")
	}
	sub.Key = key
	return sub, sub.check()
}
