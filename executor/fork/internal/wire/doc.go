// Package wire is what an engine and the supervisor of its detached processes
// say to each other, over a socket of this machine. FORMAT.md in package fork
// has the bytes.
//
// A connection begins with a [Hello] from each side. Then the engine makes calls,
// each under a number that it chooses, and the supervisor answers under the same
// number. Both sides only ever add to a queue, so that neither waits for the
// other.
//
// What can be written can be read; reading anything else is an error and never a
// panic. Frames are bounded by [MaxFrame].
package wire
