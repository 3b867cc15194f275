package slurm

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
)

// settings are what a job asks of Slurm.
type settings struct {
	flags map[string]string // of sbatch, with their values
	extra []string          // further arguments of sbatch
	// uid is who runs the job. -1: who runs this process.
	uid    int
	tmpDir string
}

// An option is a member of a job that only this executor knows.
type option struct {
	name string
	flag string // of sbatch. "": it is none
	take func(v any) (string, error)
}

// options that jobs, pools and [Config] may have.
var options = []option{
	{"minCPUs", "--cpus-per-task", least("")},
	{"minMemoryMB", "--mem", least("M")},
	{"minTmpDiskMB", "--tmp", least("M")},
	{"priority", "--priority", count},
	{"userID", "", count},
	{"tmpDir", "", absolute},
	{"partition", "--partition", word},
	{"account", "--account", word},
	{"qos", "--qos", word},
	{"constraint", "--constraint", word},
	{"reservation", "--reservation", word},
	{"licenses", "--licenses", word},
	{"gres", "--gres", word},
	{"nodes", "--nodes", word},
	{"tasks", "--ntasks", count},
	{"nice", "--nice", signed},
	{"exclusive", "--exclusive", exclusive},
	{"extraArgs", "", nil}, // a list
}

func optionNames() []string {
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	return names
}

// early leaves out values that hold a placeholder: they are known when the attempt
// runs.
func early(opts map[string]any) map[string]any {
	known := maps.Clone(opts)
	maps.DeleteFunc(known, func(name string, v any) bool {
		text, ok := v.(string)
		i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
		return ok && i >= 0 && strings.Contains(text, "{{")
	})
	return known
}

// settingsOf puts options over what is there.
func (e *Executor) settingsOf(opts map[string]any, under settings) (settings, error) {
	s := under.clone()
	var problems *multierror.Error
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		if err := s.set(name, opts[name]); err != nil {
			problems = multierror.Append(problems, fmt.Errorf("slurm: %w", err))
		}
	}
	return s, problems.ErrorOrNil()
}

func (s settings) clone() settings {
	if s.flags == nil {
		return settings{flags: map[string]string{}, uid: -1}
	}
	s.flags = maps.Clone(s.flags)
	s.extra = slices.Clone(s.extra)
	return s
}

func (s *settings) set(name string, v any) error {
	i := slices.IndexFunc(options, func(o option) bool { return o.name == name })
	if i < 0 {
		return unknownOption(name)
	}
	o := options[i]
	if o.name == "extraArgs" {
		extra, err := extraArgs(v)
		s.extra = append(s.extra, extra...)
		return err
	}
	value, err := o.take(v)
	if err != nil {
		return fmt.Errorf("option %s: %w", name, err)
	}
	switch {
	case o.name == "userID":
		s.uid, err = strconv.Atoi(value)
		return err
	case o.name == "tmpDir":
		s.tmpDir = value
		return nil
	case value == "" || o.flag == "":
		delete(s.flags, o.flag)
		return nil
	}
	s.flags[o.flag] = value
	return nil
}

func unknownOption(name string) error {
	members := append(optionNames(),
		"command", "commandString", "environment", "workDir", "timeLimitSeconds",
		dag.Cores, dag.MemoryMB, "resources")
	if best := dag.Nearest(name, members); best != "" {
		return fmt.Errorf("option %q is unknown; did you mean %s?", name, best)
	}
	return fmt.Errorf("option %q is unknown; there are %s", name,
		strings.Join(optionNames(), ", "))
}

// whole reads a whole number: as a number or as a string, since both are written.
func whole(v any) (int64, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	case float64:
		if n != math.Trunc(n) || math.Abs(n) > 1<<53 {
			return 0, fmt.Errorf("%v is not a whole number", n)
		}
		return int64(n), nil
	case string:
		i, err := strconv.ParseInt(strings.TrimSpace(n), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a whole number", n)
		}
		return i, nil
	case fmt.Stringer: // json.Number is one
		return whole(n.String())
	}
	return 0, fmt.Errorf("%v (%T) is not a number", v, v)
}

func count(v any) (string, error) {
	n, err := whole(v)
	if err == nil && (n < 0 || n > math.MaxUint32) {
		err = fmt.Errorf("%d is out of range", n)
	}
	return strconv.FormatInt(n, 10), err
}

func signed(v any) (string, error) {
	n, err := whole(v)
	return strconv.FormatInt(n, 10), err
}

// least takes how much is wanted at least. Nothing is nothing asked for, while "--mem=0"
// is all the memory of a node.
func least(unit string) func(v any) (string, error) {
	return func(v any) (string, error) {
		s, err := count(v)
		if s == "0" {
			return "", err
		}
		return s + unit, err
	}
}

// word takes a text that Slurm reads. A number will do.
func word(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		n, err := whole(v)
		if err != nil {
			return "", fmt.Errorf("%v (%T) is not a text", v, v)
		}
		s = strconv.FormatInt(n, 10)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return "", fmt.Errorf("%q has a control character", s)
	}
	return s, nil
}

// absolute takes a directory: that of this process is not that of jobs.
func absolute(v any) (string, error) {
	s, err := word(v)
	if err == nil && s != "" && !filepath.IsAbs(s) {
		err = fmt.Errorf("%q is not absolute", s)
	}
	return s, err
}

func exclusive(v any) (string, error) {
	switch b := v.(type) {
	case bool:
		if b {
			return noValue, nil
		}
		return "", nil
	case string:
		return word(b)
	}
	return "", fmt.Errorf("%v (%T) is neither true nor a text such as \"user\"", v, v)
}

// noValue marks a flag that takes no value.
const noValue = "\x00"

// take puts the resources and the time limit of a job over its options.
func (s *settings) take(job dag.Job, grace time.Duration) error {
	for _, name := range slices.Sorted(maps.Keys(job.Resources)) {
		n := job.Resources[name]
		if n == 0 {
			continue
		}
		switch name {
		case dag.Cores:
			s.flags["--cpus-per-task"] = strconv.FormatInt(n, 10)
		case dag.MemoryMB:
			s.flags["--mem"] = strconv.FormatInt(n, 10) + "M"
		case dag.GPUs:
			s.flags["--gres"] = "gpu:" + strconv.FormatInt(n, 10)
		default:
			return fmt.Errorf("slurm: resource %q is not one that Slurm can be asked for: %s, %s"+
				" and %s are; others go into the option gres or licenses",
				name, dag.Cores, dag.MemoryMB, dag.GPUs)
		}
	}
	if job.TimeLimit > 0 {
		// The script of the job keeps the limit. Slurm's own, in minutes, comes
		// after it, and lets the scheduler know.
		minutes := (job.TimeLimit + grace + 59*time.Second) / time.Minute
		s.flags["--time"] = strconv.FormatInt(int64(minutes)+1, 10)
	}
	return nil
}

// args are the arguments of sbatch, in an order that is always the same: what
// has equal ones can be in one array.
func (s *settings) args() []string {
	args := make([]string, 0, len(s.flags)+len(s.extra)+3)
	for _, flag := range slices.Sorted(maps.Keys(s.flags)) {
		if v := s.flags[flag]; v != noValue {
			args = append(args, flag+"="+v)
		} else {
			args = append(args, flag)
		}
	}
	if _, set := s.flags["--ntasks"]; !set {
		args = append(args, "--ntasks=1")
	}
	if s.uid >= 0 {
		args = append(args, "--uid="+strconv.Itoa(s.uid))
	}
	return append(args, s.extra...)
}
