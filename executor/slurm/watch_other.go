//go:build !linux

package slurm

import "context"

// watch does nothing: reports are found by listing.
func (k *keeper) watch(context.Context) {}
