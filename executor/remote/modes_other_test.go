//go:build !linux

package remote_test

import "github.com/daggy-go/daggy/internal/helperproc"

// modes are what processes of tests do, of which there are none here.
func modes() map[string]helperproc.Mode { return nil }
