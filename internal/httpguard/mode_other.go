//go:build !unix

package httpguard

import "os"

// owned does nothing: here files have no owner that is a number.
func owned(*os.File) error { return nil }

// private does nothing: here the mode of a file does not say who has access.
func private(*os.File, os.FileMode) error { return nil }
