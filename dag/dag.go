package dag

import (
	"maps"
	"slices"
	"time"
)

// A DAG is the definition of a workflow: tasks and what orders them.
//
// It is plain data and reads well as a Go literal. The zero DAG is valid and
// has nothing to do. A DAG is not safe for concurrent modification; everything
// in this module that takes one only reads it, except [DAG.Splice].
type DAG struct {
	// Tags label the run for queries. They have no effect on it.
	Tags map[string]string
	// Parameters are put into the jobs of all tasks, see package expand.
	Parameters Parameters
	// JobDefaults fills every job member that a task leaves out, see
	// [Job.WithDefaults].
	JobDefaults Job
	// Pool names the executor of tasks that name none. "" is the default pool.
	Pool string
	// PoolOptions are handed, as they are, to the executor of Pool, with every
	// task of that pool. No other pool sees them.
	PoolOptions map[string]any
	// Tasks in definition order, which breaks all ties when the DAG is run.
	Tasks []Task

	// unknown are the names that With was given and found no parameter for.
	unknown []string
}

// A Task is one named vertex of the definition. If its job refers to a list
// parameter, it stands for many instances.
type Task struct {
	// Name is the identity of the task, unique in the DAG. Required.
	Name string
	// Job is what the executor is given. A task whose job has, after defaults,
	// neither a command nor options of its own only groups: it is done as soon
	// as its parents are.
	Job Job
	// Parents must have completed before this task starts. Names of tasks,
	// never of instances. An edge may be given from either end or both.
	Parents []string
	// Children wait for this task, as if it stood in their Parents.
	Children []string
	// Parameters override the DAG's, for this task alone.
	Parameters Parameters
	// Generator: the standard output of this task is more tasks, in the form
	// that [ParseTasks] reads. They join the DAG while it runs.
	Generator bool
	// MaxRetries is how many more attempts an instance gets after it failed by
	// itself. 0: none. Lost attempts are not counted here.
	MaxRetries int
	// RetryInterval is the pause before such a further attempt. 0: none.
	RetryInterval time.Duration
	// NotBefore is the earliest time to start. Zero: at once.
	NotBefore time.Time
	// Pool names the executor. "": the DAG's pool.
	Pool string
	// Priority orders tasks that could start at the same time; higher first.
	Priority int
}

// A Job is what an executor is asked to do.
type Job struct {
	// Command is an argument vector. Nothing is ever passed to a shell.
	// Nil takes the default command; empty but not nil means no command.
	Command []string
	// CommandString is an alternative to Command. It is split into words by
	// POSIX shell rules (quotes and backslashes, no expansions) before
	// parameters are put in.
	CommandString string
	// Environment holds entries "KEY=value".
	Environment []string
	// WorkDir is the working directory. "": up to the executor.
	WorkDir string
	// TimeLimit ends an attempt that runs longer. 0: no limit.
	TimeLimit time.Duration
	// Resources are leased while the attempt runs. Nil: one core.
	Resources Resources
	// Options are what only one kind of executor knows. An executor refuses
	// those that it does not know.
	Options map[string]any
}

// Resources are amounts by name: [Cores], [MemoryMB], [GPUs] or any other.
type Resources map[string]int64

// Names of resources that have a meaning of their own.
const (
	Cores    = "cores"
	MemoryMB = "memoryMB"
	GPUs     = "gpus"
)

// Command returns a job that runs the given argument vector.
func Command(words ...string) Job { return Job{Command: words} }

// WithDefaults returns j with every member that it leaves out taken from def.
//
// Environment entries merge by key and resources and options by name, j's own
// winning. Command and CommandString count as one member: a job that has
// either keeps it and gets neither. The result shares no slice or map with def
// that j would alter.
func (j Job) WithDefaults(def Job) Job {
	if j.Command == nil && j.CommandString == "" {
		j.Command, j.CommandString = def.Command, def.CommandString
	}
	j.Environment = mergeEnvironment(def.Environment, j.Environment)
	if j.WorkDir == "" {
		j.WorkDir = def.WorkDir
	}
	if j.TimeLimit == 0 {
		j.TimeLimit = def.TimeLimit
	}
	j.Resources = mergeMaps(def.Resources, j.Resources)
	j.Options = mergeMaps(def.Options, j.Options)
	return j
}

func mergeMaps[M ~map[string]V, V any](def, own M) M {
	switch {
	case len(def) == 0:
		return own
	case len(own) == 0:
		return def
	}
	m := maps.Clone(def)
	maps.Copy(m, own)
	return m
}

func mergeEnvironment(def, own []string) []string {
	switch {
	case len(def) == 0:
		return own
	case len(own) == 0:
		return def
	}
	key := func(entry string) string {
		for i := range len(entry) {
			if entry[i] == '=' {
				return entry[:i]
			}
		}
		return entry
	}
	merged := make([]string, 0, len(def)+len(own))
	for _, entry := range def {
		overridden := slices.ContainsFunc(own, func(e string) bool { return key(e) == key(entry) })
		if !overridden {
			merged = append(merged, entry)
		}
	}
	return append(merged, own...)
}
