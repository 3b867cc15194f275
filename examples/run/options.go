package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/executor/sim"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/progress"
)

// options are the command line.
type options struct {
	file     string // for people
	path     string // "-": the standard input
	log      string
	run      string
	retry    bool
	executor string
	shared   string
	parallel int
	failFast bool
	graph    string
	report   string
	progress progress.Mode
}

const usage = `usage: run [flags] FILE
Runs the DAG in FILE ("-": the standard input) and reports what became of it.

  -log DIR             keep runs in this directory, and the processes and the
                       output of their tasks beside it, so that the same
                       command goes on with a run that was cut short (default:
                       the run ends with the program)
  -run ID              the ID of the run (default: a new one)
  -retry               run again what failed of a run that the log has
  -executor fork|slurm|sim
                       fork runs commands on this machine (default); slurm as
                       jobs of the cluster that this machine can submit to; sim
                       runs nothing: all tasks succeed at once, generators add
                       none
  -shared DIR          for slurm: a directory that this machine and all nodes
                       have (default: daggy-slurm in the home directory)
  -parallel N          cores to share out; a job takes one unless it asks for
                       others (default: all of this machine). For slurm: jobs
                       in the queue at once (default: 5000)
  -fail-fast           stop everything at the first failure
  -graph mermaid|dot   print the graph and run nothing
  -report text|json    the form of the report (default text)
  -progress auto|off   auto (default): a live display if the standard error is
                       a terminal, else a line now and then; live and lines
                       choose one of these
`

// parseFlags reads the command line. The error is flag.ErrHelp if that was asked
// for.
func parseFlags(args []string) (*options, error) {
	o := &options{executor: "fork", report: "text"}
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	nonEmpty(fs, &o.log, "log", "a directory")
	nonEmpty(fs, &o.run, "run", "an ID")
	fs.BoolVar(&o.retry, "retry", false, "")
	choice(fs, &o.executor, "executor", "fork", "slurm", "sim")
	nonEmpty(fs, &o.shared, "shared", "a directory")
	fs.Func("parallel", "", o.setParallel)
	fs.BoolVar(&o.failFast, "fail-fast", false, "")
	choice(fs, &o.graph, "graph", "mermaid", "dot")
	choice(fs, &o.report, "report", "text", "json")
	fs.TextVar(&o.progress, "progress", progress.Auto, "")
	err := fs.Parse(args)
	if err == nil && fs.NArg() != 1 {
		err = fmt.Errorf("want one FILE, got %d; flags come before it", fs.NArg())
	}
	if err == nil && o.shared != "" && o.executor != "slurm" {
		err = errors.New("-shared is for -executor slurm")
	}
	if err == nil && o.retry && (o.log == "" || o.run == "") {
		err = errors.New("-retry needs -log and -run, which say what to retry")
	}
	if err != nil {
		return nil, err
	}
	o.path, o.file = fs.Arg(0), fs.Arg(0)
	if o.path == "-" {
		o.file = "standard input"
	}
	return o, nil
}

// nonEmpty defines a flag whose value is not left empty by a variable of a script
// that is not set.
func nonEmpty(fs *flag.FlagSet, value *string, name, what string) {
	fs.Func(name, "", func(s string) error {
		if s == "" {
			return fmt.Errorf("want %s", what)
		}
		*value = s
		return nil
	})
}

// choice defines a flag that is one of some words.
func choice(fs *flag.FlagSet, value *string, name string, words ...string) {
	fs.Func(name, "", func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("want one of %s", strings.Join(words, ", "))
		}
		*value = s
		return nil
	})
}

func (o *options) setParallel(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("want a number of cores")
	}
	o.parallel = n
	return nil
}

// read reads the definition, no more of it than Parse would accept.
func (o *options) read(stdin io.Reader) ([]byte, error) {
	in := stdin
	if o.path != "-" {
		f, err := os.Open(o.path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it was only read
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, dag.Limits{}.WithDefaults().Definition+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", o.file, err)
	}
	return data, nil
}

// runner wires what the options say.
func (o *options) runner(d *dag.DAG) *runner.Runner {
	if o.executor == "slurm" {
		return o.onSlurm()
	}
	local := fork.New(o.processes())
	r := &runner.Runner{Executor: local, FailFast: o.failFast}
	if o.executor == "sim" {
		// The same capacity, so that what fork would refuse is refused.
		r.Executor = sim.New(sim.Config{Allocator: local.Allocator(), Script: script(d)})
	}
	return r
}

// capacity is that of this machine with the number of cores asked for. Nil: let
// the executor find out.
func (o *options) capacity() capacity.Resources {
	if o.parallel == 0 {
		return nil
	}
	total, err := capacity.Detect()
	if err != nil {
		total = capacity.Resources{} // as the executor does
	}
	total[dag.Cores] = int64(o.parallel)
	return total
}

// script has simulated generators print what adds no tasks.
func script(d *dag.DAG) map[string]sim.Behaviour {
	s := map[string]sim.Behaviour{}
	for _, t := range d.Tasks {
		if t.Generator {
			s[t.Name] = sim.Behaviour{Stdout: "{}\n"}
		}
	}
	return s
}
