//go:build !linux && !darwin && !windows

package capacity

import (
	"errors"
	"fmt"
	"runtime"
)

func detect() (machine, error) {
	return machine{}, fmt.Errorf("memory of %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
