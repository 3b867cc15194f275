//go:build linux

package slurm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor/slurm"
)

// A cluster does what Slurm's commands do, with processes of this machine: the
// script of a job is run by bash, as on a node. All jobs start at once.
type cluster struct {
	dir   string // of scripts
	group string // control group of jobs. "": that of the test

	mu      sync.Mutex
	last    int
	jobs    []*job
	running sync.WaitGroup
}

type job struct {
	id, name, state string
	restart         int
	script          string
	args            []string
	environ         []string
	cmd             *exec.Cmd
}

func newCluster(tb testing.TB) *cluster {
	tb.Helper()
	_, err := exec.LookPath("bash")
	require.NoError(tb, err, "jobs need bash")
	c := &cluster{dir: tb.TempDir()}
	tb.Cleanup(func() {
		c.mu.Lock()
		for _, j := range c.jobs {
			c.end(j, syscall.SIGKILL, j.state)
		}
		c.mu.Unlock()
		c.running.Wait()
	})
	return c
}

// run is for Config.Commands.
func (c *cluster) run(_ context.Context, argv []string, in string) (slurm.Answer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch argv[0] {
	case "sbatch":
		return c.sbatch(argv[1:], in)
	case "squeue":
		var out bytes.Buffer
		for _, j := range c.jobs {
			fmt.Fprintf(&out, "daggy|%s|%s|fake|%s|\n", j.id, j.state, j.name)
		}
		return slurm.Answer{Stdout: out.Bytes()}, nil
	case "scancel":
		return c.scancel(argv[1:])
	case "scontrol":
		return slurm.Answer{Stdout: []byte("MaxArraySize = 1001\n")}, nil
	}
	return slurm.Answer{}, fmt.Errorf("%s: %w", argv[0], exec.ErrNotFound)
}

func (c *cluster) sbatch(args []string, in string) (slurm.Answer, error) {
	c.last++
	name, elements, err := submitted(args)
	if err != nil {
		return slurm.Answer{}, err
	}
	id := strconv.Itoa(c.last)
	script := filepath.Join(c.dir, id)
	if err := os.WriteFile(script, []byte(in), 0o600); err != nil {
		return slurm.Answer{}, err
	}
	for i := range max(elements, 1) {
		j := &job{id: id, name: name, script: script, args: args[len(args)-2:]}
		j.environ = []string{
			"PATH=" + os.Getenv("PATH"), "SLURM_JOB_ID=" + id, "SLURMD_NODENAME=fake",
		}
		if elements > 0 {
			j.id = fmt.Sprintf("%s_%d", id, i)
			j.environ = append(j.environ, "SLURM_ARRAY_JOB_ID="+id,
				"SLURM_ARRAY_TASK_ID="+strconv.Itoa(i))
		}
		c.jobs = append(c.jobs, j)
		if err := c.start(j); err != nil {
			return slurm.Answer{}, err
		}
	}
	return slurm.Answer{Stdout: []byte(id + "\n")}, nil
}

// start starts the script of a job, with mu held.
func (c *cluster) start(j *job) error {
	cmd := exec.Command("bash", append([]string{j.script}, j.args...)...)
	if c.group != "" {
		cmd.Args = append([]string{
			"bash", "-c", `echo $$ >"$0/cgroup.procs" && exec bash "$@"`, c.group,
		}, cmd.Args[1:]...)
	}
	cmd.Env = append(j.environ, "SLURM_RESTART_COUNT="+strconv.Itoa(j.restart))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	j.cmd, j.state = cmd, "RUNNING"
	if err := cmd.Start(); err != nil {
		return err
	}
	c.running.Go(func() {
		err := cmd.Wait()
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case j.cmd != cmd || j.state != "RUNNING":
		case err == nil:
			j.state = "COMPLETED"
		default:
			j.state = "FAILED"
		}
	})
	return nil
}

// end sends a signal to the script of a job and to what it has started, with mu
// held. The state is what the job is in then.
func (c *cluster) end(j *job, sig syscall.Signal, state string) {
	if j.state != "RUNNING" && j.state != "COMPLETING" {
		return
	}
	j.state = state
	tree := []int{j.cmd.Process.Pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children(tree[i])...)
	}
	for _, pid := range tree {
		_ = syscall.Kill(pid, sig) // it may have ended
	}
}

func children(pid int) []int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	var pids []int
	for _, f := range strings.Fields(string(b)) {
		if child, err := strconv.Atoi(f); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

func (c *cluster) scancel(args []string) (slurm.Answer, error) {
	ask := args[0] == "--batch"
	var unknown []string
	for _, word := range args {
		if strings.HasPrefix(word, "--") {
			continue
		}
		base, list, isList := strings.Cut(word, "_[")
		ids := []string{word}
		if isList {
			ids = nil
			for e := range strings.SplitSeq(strings.TrimSuffix(list, "]"), ",") {
				ids = append(ids, base+"_"+e)
			}
		}
		for _, id := range ids {
			j := c.find(id)
			switch {
			case j == nil:
				unknown = append(unknown, id)
			case ask:
				// To the script alone.
				if err := j.cmd.Process.Signal(syscall.SIGTERM); err != nil &&
					!errors.Is(err, os.ErrProcessDone) {
					return slurm.Answer{}, err
				}
			default:
				c.end(j, syscall.SIGKILL, "CANCELLED")
			}
		}
	}
	if unknown != nil {
		return slurm.Answer{Exit: 1, Stderr: fmt.Appendf(nil, "Invalid job id %q", unknown)}, nil
	}
	return slurm.Answer{}, nil
}

func (c *cluster) find(id string) *job {
	for _, j := range c.jobs {
		if j.id == id {
			return j
		}
	}
	return nil
}

// kill ends the scripts of all jobs by force.
func (c *cluster) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range c.jobs {
		c.end(j, syscall.SIGKILL, "FAILED")
	}
}

// config is for a cluster that is asked often and given up soon, without arrays.
func (c *cluster) config(dir string) slurm.Config {
	return slurm.Config{
		Dir: dir, Commands: c.run, Interval: 50 * time.Millisecond,
		Missing: 300 * time.Millisecond, ArrayWait: -1,
	}
}

// noted says how often a job has noted that it ran.
func noted(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return strings.Count(string(b), "\n")
}
