//go:build !linux

// Command remote needs Linux, where commands outlive their daemon.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "remote: this needs Linux: elsewhere commands end with their daemon")
	os.Exit(1)
}
