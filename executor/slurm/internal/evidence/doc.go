// Package evidence reads what Slurm and the script of a job say, and decides
// what that means for an attempt. It is pure: no command is run and no file
// opened here, so that recorded answers can be replayed and garbage tried.
//
// Two rules hold for all of it. What is not understood means nothing: it is
// neither an end nor a success. And only the report of the script, which is
// whole or void, makes a success.
package evidence
