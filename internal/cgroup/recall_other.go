//go:build !linux

package cgroup

func isGroup(string) bool { return false }
