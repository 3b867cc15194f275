// Package journal remembers which keys a supervisor of detached processes has
// used, and for what: it is the claim that keeps a key from being started twice
// (E5). There is one journal in a directory, and one process at a time that has
// it open; to see to that is up to the caller.
//
// What a method has written survives the end of the process, also by SIGKILL,
// as soon as the method has returned. It is not synced, so a power cut may take
// the last of it; but then nothing runs any more either. Everything in the file
// has a checksum. FORMAT.md in package fork has the bytes.
//
// The file is written anew when most of it is of no use any more. What is left
// for ever is that keys were used, which takes a few bytes for each task of a run.
package journal
