// Package archtest holds the direction of imports: its tests read every Go file
// of the module, for all platforms, and compare the imports with the table in
// rules_test.go. A package that the table does not know fails too, so that a new
// one gets its place before it gets its users.
package archtest
