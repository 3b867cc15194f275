// Package crash kills engines. A real engine, with a log in files and processes
// that outlive it, is killed with SIGKILL at random instants and at named points,
// and started again until its run is over. What became of the tasks is judged by
// files that the tasks themselves write.
//
//	go test ./internal/crash -run TestKill -v -args -kills=500
//
// A test that fails prints its seed, which -args -seed=N repeats as far as the
// machine does, and keeps its directory.
package crash
