// Package integration tests the library against real servers. It is a module of
// its own, which nobody can import, so that the drivers that its tests need are
// no requirement of the library's.
//
// The tests start the servers that they need by themselves, see package
// servertest, and run on Linux. They fail where a server cannot be had; they are
// never skipped.
//
// Command vm, which is "make test-vm", runs tests of the library in a virtual machine
// that has all controllers of control groups of version 2.
package integration
