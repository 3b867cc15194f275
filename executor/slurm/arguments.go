package slurm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ours are the arguments of sbatch that this package sets, or that would break
// what it promises.
var ours = map[string]string{
	"--array":        "instances of a task are made an array by themselves",
	"--chdir":        "set workDir",
	"--cluster":      "only the queue of this cluster is watched",
	"--clusters":     "only the queue of this cluster is watched",
	"--error":        "output goes to files of its own",
	"--export":       "the environment is the job's",
	"--export-file":  "the environment is the job's",
	"--get-user-env": "the environment is the job's",
	"--help":         "nothing would be submitted",
	"--hold":         "it could not be told from somebody's hold",
	"--input":        "jobs have none",
	"--job-name":     "it leads to the attempt",
	"--no-requeue":   "it is set already",
	"--open-mode":    "output goes to files of its own",
	"--output":       "output goes to files of its own",
	"--parsable":     "it is set already",
	"--quiet":        "what sbatch says is read",
	"--requeue":      "a job that starts again does nothing",
	"--signal":       "it would look as if somebody cancelled the job",
	"--test-only":    "nothing would be submitted",
	"--time":         "set timeLimitSeconds",
	"--uid":          "set userID",
	"--usage":        "nothing would be submitted",
	"--version":      "nothing would be submitted",
	"--wait":         "the queue is watched already",
	"--wrap":         "the command is the job's",
}

// extraArgs takes further arguments of sbatch, each "--name" or "--name=value",
// so that none can be taken for the script.
func extraArgs(v any) ([]string, error) {
	var list []string
	switch l := v.(type) {
	case []string:
		list = l
	case []any:
		for _, x := range l {
			s, ok := x.(string)
			if !ok {
				return nil, fmt.Errorf("option extraArgs: %v (%T) is not a text", x, x)
			}
			list = append(list, s)
		}
	default:
		return nil, fmt.Errorf("option extraArgs: %v (%T) is not a list", v, v)
	}
	for _, arg := range list {
		name, _, _ := strings.Cut(arg, "=")
		if !strings.HasPrefix(name, "--") || len(name) < 4 {
			return nil, fmt.Errorf(
				"option extraArgs: %q is not of the form --name or --name=value", arg)
		}
		if err := notOurs(name); err != nil {
			return nil, err
		}
		if _, err := word(arg); err != nil {
			return nil, fmt.Errorf("option extraArgs: %w", err)
		}
	}
	return list, nil
}

// notOurs refuses what this package sets. sbatch takes any beginning of a name
// that is of one option only.
func notOurs(name string) error {
	for _, reserved := range slices.Sorted(maps.Keys(ours)) {
		if strings.HasPrefix(reserved, name) {
			return fmt.Errorf("option extraArgs: %s cannot be given: %s", name, ours[reserved])
		}
	}
	return nil
}
