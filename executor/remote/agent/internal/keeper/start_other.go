//go:build !linux

package keeper

import (
	"errors"
	"time"
)

// A Keeper needs Linux, like commands that outlive their engine.
type Keeper struct{}

// Start says that there is none.
func Start(string, time.Duration) (*Keeper, error) { return nil, errors.ErrUnsupported }

// TakeOver does nothing.
func (*Keeper) TakeOver(string) error { return errors.ErrUnsupported }

// Watch does nothing.
func (*Keeper) Watch(string, string, time.Duration, time.Duration) {}

// Hear does nothing.
func (*Keeper) Hear(string, time.Duration) {}

// Done does nothing.
func (*Keeper) Done(string) {}

// Sync says that there is none.
func (*Keeper) Sync() error { return errors.ErrUnsupported }

// Alive is false.
func (*Keeper) Alive() bool { return false }

// Wait says that there is none.
func (*Keeper) Wait() error { return errors.ErrUnsupported }

// Close does nothing.
func (*Keeper) Close() {}
