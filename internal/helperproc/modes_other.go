//go:build !linux && !darwin

package helperproc

func addSignals(map[string]Mode) {}
