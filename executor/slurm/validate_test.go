package slurm_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/slurm"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		job  dag.Job
		want string
	}{
		"option":   {dag.Job{Options: map[string]any{"partitoin": "x"}}, "did you mean partition"},
		"number":   {dag.Job{Options: map[string]any{"minCPUs": "two"}}, "minCPUs"},
		"fraction": {dag.Job{Options: map[string]any{"minCPUs": 1.5}}, "not a whole number"},
		"resource": {dag.Job{Resources: dag.Resources{"tapes": 1}}, "tapes"},
		"array":    {dag.Job{Options: map[string]any{"extraArgs": []any{"--array=1"}}}, "--array"},
		"short":    {dag.Job{Options: map[string]any{"extraArgs": []any{"--arr=1-9"}}}, "--arr"},
		"script":   {dag.Job{Options: map[string]any{"extraArgs": []any{"script.sh"}}}, "form"},
		"line":     {dag.Job{Options: map[string]any{"partition": "a\nb"}}, "control character"},
		"entry":    {dag.Job{Environment: []string{"x"}}, "KEY=value"},
		"tmpDir":   {dag.Job{Options: map[string]any{"tmpDir": "relative"}}, "not absolute"},
		"file":     {dag.Job{Options: map[string]any{"tmpDir": "/dev/null"}}, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, _ := setup(t, &script{})
			tc.job.Command = []string{"true"}
			require.ErrorContains(t, e.Validate(tc.job), tc.want)
		})
	}
	e, _ := setup(t, &script{})
	require.NoError(t, e.ValidatePool(map[string]any{"partition": "long"}))
	require.ErrorContains(t, e.ValidatePool(map[string]any{"partitoin": "long", "tmpDir": "x"}),
		"did you mean partition")
	e = slurm.New(slurm.Config{Commands: (&script{}).run})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "Config.Dir is empty")
	e = slurm.New(slurm.Config{Commands: (&script{}).run, Dir: "relative"})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "not absolute")
	e = slurm.New(slurm.Config{Commands: (&script{}).run, Dir: "/dev/null/x"})
	require.ErrorContains(t, e.Validate(dag.Command("true")), "shared directory")
}

// A machine without Slurm is told so before anything starts.
func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := slurm.New(slurm.Config{Dir: t.TempDir()}).Validate(dag.Command("true"))
	require.ErrorContains(t, err, "there is no sbatch, squeue, scancel, scontrol in PATH=")
}

// With several clusters a job's number is that of another one, too.
func TestSeveralClusters(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{"sbatch", "squeue", "scancel", "scontrol"} {
		require.NoError(t, os.WriteFile(filepath.Join(path, name), []byte("#!/bin/sh\n"), 0o700))
	}
	t.Setenv("PATH", path)
	for clusters, want := range map[string]string{
		"north,south": "SLURM_CLUSTERS=north,south", "all": "SLURM_CLUSTERS=all",
		"north": "", "": "",
	} {
		t.Setenv("SLURM_CLUSTERS", clusters)
		err := slurm.New(slurm.Config{Dir: t.TempDir()}).Validate(dag.Command("true"))
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}

// What a placeholder stood for is looked at when the attempt runs.
func TestRelativeTmpDir(t *testing.T) {
	t.Parallel()
	s := &script{}
	e, _ := setup(t, s)
	job := dag.Command("true")
	job.Options = map[string]any{"tmpDir": "{{X}}"}
	require.NoError(t, e.Validate(job))
	job.Options = map[string]any{"tmpDir": "relative"}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := e.Run(ctx, attempt("key", job))
	require.ErrorContains(t, err, "not absolute")
	require.True(t, executor.IsPermanent(err))
	require.Zero(t, s.called("sbatch"))
}

// What was wrong with a directory is not wrong for ever.
func TestTmpDirIsTriedAgain(t *testing.T) {
	t.Parallel()
	e, _ := setup(t, &script{})
	dir := filepath.Join(t.TempDir(), "tmp")
	job := dag.Command("true")
	job.Options = map[string]any{"tmpDir": dir}
	require.NoError(t, os.WriteFile(dir, nil, 0o600))
	require.ErrorContains(t, e.Validate(job), "not a directory")
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, e.Validate(job))
}
