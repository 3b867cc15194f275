package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Package internal/integration/slurm runs the program on a real cluster.
func TestNoSlurm(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	o := play(t, `{"tasks": {"a": {"job": {"command": ["true"]}}}}`, "-executor", "slurm")
	require.Equal(t, exitBad, o.code)
	require.Contains(t, o.stderr, "there is no sbatch")
	require.Empty(t, o.stdout)
}

func TestSharedIsForSlurm(t *testing.T) {
	t.Parallel()
	o := play(t, `{"tasks": {}}`, "-shared", t.TempDir())
	require.Equal(t, exitBad, o.code)
	require.Contains(t, o.stderr, "-shared is for -executor slurm")
}
