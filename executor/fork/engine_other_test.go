//go:build !linux

package fork_test

import "github.com/daggy-go/daggy/internal/helperproc"

func engines() map[string]helperproc.Mode { return nil }
