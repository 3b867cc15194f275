//go:build !unix

package httpguard

import "os"

// private does nothing: here the mode of a file does not say who has access.
func private(*os.File, os.FileMode) error { return nil }
