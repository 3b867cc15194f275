// Package remote runs tasks on a fleet of machines, each with a runner daemon
// (package agent) on it.
//
//	ex, err := remote.New(remote.Config{Nodes: []remote.Node{
//		{Name: "n1", URL: "https://n1:2504", TokenFile: "/etc/daggy/token"},
//		{Name: "n2", URL: "https://n2:2504", TokenFile: "/etc/daggy/token"},
//	}})
//	…
//	defer ex.Close()
//	r := runner.Runner{Executor: ex, Log: log}
//	report, err := r.Run(ctx, d)
//
// # Where a task goes
//
// Each daemon says what its machine has and what is free of it, over one connection
// that stays. The runner leases from [Executor.Allocator], so that a task goes to the
// node where it hurts least (C1), and waits while no node has room. What other engines
// use of a node is not free; if two engines take the last of it at the same moment,
// the daemon refuses one, which costs nothing (E4). Nodes that cannot be reached, are
// drained, or have a disk that is full take nothing new, and what only they could run
// waits for them; runner.Handle.Why names them with the reason. A task that no node
// can ever run fails before anything starts, with the best offer that there is.
//
// Nodes may be added, drained and removed at any time: see [Executor.Add],
// [Executor.Drain], [Executor.Remove] and [Executor.Gone].
//
// # What is promised
//
//   - A task never runs twice at once, whatever is lost, repeated or late on the way
//     (E3, E5): everything is asked for by the key of the attempt, again and again
//     until there is an answer, and a daemon never starts a key twice.
//   - The engine may die: the daemons go on, and the engine that resumes the run finds
//     its attempts where they are. A daemon may die and come back: it finds what it
//     ran. An executor whose daemons keep no journal ([Config].Ephemeral) promises
//     neither and is not durable.
//   - A node that cannot be reached is waited for, for ever. With [Replace] its
//     attempts are lost, and so run elsewhere, once it is certain that the node has
//     stopped them: attempts then have a lease that this executor renews, and a daemon
//     that is cut off stops what it runs. The executor counts by its own monotonic
//     clock, from when it last got a ticket from the node (PROTOCOL.md), the lease,
//     a tenth of it, the time that stopping takes, and [Config].Margin. Two things
//     must hold: clocks that differ in their rate by less than a tenth, and a daemon
//     whose attempts end with their leases even if it is dead itself. Where it says
//     that it cannot see to that, nothing is proven by time and Replace is Wait.
//   - What certainly was never sent to a node is lost after some seconds, and runs
//     elsewhere, whatever OnUnreachable says. Lost attempts do not count against the
//     retries of a task.
//   - An attempt that an engine before this one started on a node which cannot be
//     reached is waited for with Replace as well, since that engine may still renew its
//     lease. [Executor.Gone] ends that, when somebody knows that the machine is off.
//   - Output is copied to the attempt's writers as it grows, in bounded memory, and is
//     whole when Run returns. It is kept by the daemon until it is recorded (Forget).
//   - Tokens go to the URL that they belong to and nowhere else: redirects are not
//     followed, and plain HTTP is for this machine. Answers have limits, and are never
//     decompressed.
//
// # Leases and engines that are away
//
// A lease also ends what an engine left behind that stays away: with a lease of an hour,
// attempts go on for an hour after their engine died, and an engine that comes later
// finds them stopped, and lost. The zero Lease with [Wait] lets them go on for ever.
// While this executor is open it keeps alive what was detached from it too.
//
// # Cost
//
// A node takes two goroutines, three with leases, one connection for its results and a
// few for requests, whatever runs there. What gathers while one request is under way
// goes into the next together; leases are renewed by one request for all of a node;
// nothing is polled.
// An attempt takes no goroutine but the one that called Run.
//
// # What it does not do
//
// No files go to a node or come back: commands, inputs and results are where all nodes
// see them, or tasks fetch them. It does not start machines or daemons. Clocks of
// machines are not compared: the times in results are the node's.
package remote
