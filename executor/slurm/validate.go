package slurm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/internal/invocation"
)

var errNotProbed = errors.New("slurm: the directory was not probed")

// Validate reports every field of job that Slurm cannot be given: a missing
// command, unknown options and resources, values that cannot be read. It also
// says what is wrong with this machine and with [Config.Dir], which it tries.
// Slurm is not asked, for it may be down when a run is resumed.
func (e *Executor) Validate(job dag.Job) error {
	var problems *multierror.Error
	add := func(err error) {
		if err != nil {
			problems = multierror.Append(problems, err)
		}
	}
	add(e.badConfig)
	if e.badConfig == nil {
		add(e.probe())
	}
	for _, err := range []error{
		invocation.Check(job), invocation.CheckEnvironment(job.Environment),
	} {
		if err != nil {
			add(fmt.Errorf("slurm: %w", err))
		}
	}
	set, err := e.settingsOf(early(job.Options), e.defaults)
	add(err)
	add(set.take(job, e.config.Grace))
	add(e.checkTmpDir(set.tmpDir, set.uid))
	return problems.ErrorOrNil()
}

// ValidatePool reports every option of a pool that Slurm cannot be given.
func (e *Executor) ValidatePool(options map[string]any) error {
	set, err := e.settingsOf(options, e.defaults)
	return multierror.Append(nil, err, e.checkTmpDir(set.tmpDir, set.uid)).ErrorOrNil()
}

// check looks at what can be wrong with a Config.
func (c Config) check() error {
	switch {
	case c.Dir == "":
		return errors.New("slurm: Config.Dir is empty: name a directory that this machine and" +
			" all nodes share")
	case !filepath.IsAbs(c.Dir):
		return fmt.Errorf("slurm: Config.Dir %q is not absolute: it has to be the same on all"+
			" nodes", c.Dir)
	}
	return nil
}

// probe looks once whether this machine can submit jobs and whether the shared
// directory can do what is asked of it.
func (e *Executor) probe() error {
	e.mu.Lock()
	err := e.probed
	e.mu.Unlock()
	if err == nil {
		return nil
	}
	if e.real {
		if err := errors.Join(missingCommands(), severalClusters()); err != nil {
			return err
		}
	}
	s, err := e.store(-1)
	if err == nil {
		err = s.probe()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.probed = err
	return err
}

// probe makes a file and a link to it, as claims are taken.
func (s *store) probe() error {
	tmp, err := s.temporary([]byte("probe\n"), true)
	if err != nil {
		return fmt.Errorf("slurm: the shared directory cannot be written: %w", err)
	}
	link := tmp + "-link"
	err = os.Link(tmp, link)
	if err == nil {
		err = os.Remove(link)
	}
	if err = errors.Join(err, os.Remove(tmp)); err != nil {
		return fmt.Errorf("slurm: the shared directory has to be able to make hard links: %w", err)
	}
	if err := s.private(); err != nil {
		return fmt.Errorf("slurm: the shared directory: %w", err)
	}
	return nil
}

// checkTmpDir names a directory for output that cannot be one, as far as this
// machine can tell. Each is tried until it can.
func (e *Executor) checkTmpDir(dir string, uid int) error {
	if dir == "" {
		return nil
	}
	tmp := tmpDirOf{dir, uid}
	e.mu.Lock()
	good := e.tmpDirs[tmp]
	e.mu.Unlock()
	if good {
		return nil
	}
	if err := probeTmpDir(dir, uid); err != nil {
		return fmt.Errorf("slurm: option tmpDir: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tmpDirs[tmp] = true
	return nil
}

// A tmpDirOf is a directory for the output of jobs of a user.
type tmpDirOf struct {
	dir string
	uid int // -1: who runs this process
}

func probeTmpDir(dir string, uid int) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil //nolint:nilerr // only the nodes may have it
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case uid >= 0:
		return nil // another user has to be able to write there
	}
	f, err := os.CreateTemp(dir, ".daggy-probe-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// engineName says who has taken a claim, for people.
func engineName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return strings.ReplaceAll(fmt.Sprintf("%s:%d", host, os.Getpid()), " ", "-")
}
