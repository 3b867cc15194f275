// Package cgroup keeps the processes of an attempt in control groups of their own:
// the kernel holds them to limits there, and all of them can be found and killed,
// wherever they have put themselves.
//
//	pool := cgroup.NewPool(cgroup.Config{})
//	g, err := pool.Take(cgroup.Limits{Memory: 64 << 20, Pids: 100})
//	defer g.Release()
//	err = g.Start(attr, func() error { pid, err = syscall.ForkExec(path, argv, …) })
//
// Groups are made below the groups that this process is in itself, of version 2 and
// of version 1, whichever has what is wanted; on many machines that is some of each.
// What a process may do there was given to it by whoever started it, so that much may
// be impossible: [Pool.Abilities] says what, and why.
//
//	GROUP/daggy/OWNER/NUMBER
//
// A process has a directory OWNER for each pool, in each hierarchy, and holds a lock
// on it (flock) for as long as it lives. That makes it known to all others, in
// whatever container, that what is in a directory without a lock was left behind: they
// kill it and remove it when they begin, unless it belongs to somebody who comes back
// for it (see [Config.Note]).
//
// # How a process gets into its groups
//
// It is born there; at no time does it run outside of them. In version 2 the kernel
// does that (clone3 with CLONE_INTO_CGROUP, Linux 5.7). In version 1 a process is born
// into the groups of the thread that starts it, and a thread may move by itself, also
// out again: that takes two small writes for each hierarchy.
//
// # Groups are used again
//
// Making and removing groups takes about as much time as starting a process. A group
// that an attempt has left behind as it was found is given to the next one: it is
// empty, nobody was killed in it, it has little memory left that is counted in it, its
// processor time was not exhausted, and no groups were made in it. A moment after the last
// group was released all of them are removed.
//
// # Limits of this
//
// Whoever may write to the files of a group can leave it, or lift its limits: root, and
// the user who the machine has given these groups to. What is asked of a service (a
// container engine, systemd-run) runs in a group of that service.
package cgroup
