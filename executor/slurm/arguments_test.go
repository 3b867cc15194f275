package slurm_test

import (
	"strconv"
	"strings"
)

// submitted returns the name of the job that sbatch is called for, and how many
// elements it has if it is an array.
func submitted(args []string) (name string, elements int, err error) {
	for _, arg := range args {
		if v, ok := strings.CutPrefix(arg, "--job-name="); ok {
			name = v
		}
		if v, ok := strings.CutPrefix(arg, "--array=0-"); ok {
			if elements, err = strconv.Atoi(v); err != nil {
				return "", 0, err
			}
			elements++
		}
	}
	return name, elements, nil
}
