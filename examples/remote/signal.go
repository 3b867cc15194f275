//go:build linux

package main

import (
	"context"
	"os/signal"
	"syscall"
)

// untilTerminated is a context that ends with SIGTERM. The interrupt of a terminal is
// for the program that has started this one.
func untilTerminated(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGINT)
	return signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
}
