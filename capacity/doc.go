// Package capacity knows what machines have to offer and leases it to jobs.
//
// An [Allocator] has a set of nodes, each with a total of some resources, and
// gives leases on them:
//
//	machine, err := capacity.Detect()
//	…
//	a := capacity.New(capacity.Node{Name: "this machine", Total: machine})
//	lease, err := a.Allocate(ctx, capacity.Resources{dag.Cores: 2, dag.MemoryMB: 4096})
//	…
//	defer lease.Release()
//
// There are three ways to ask. [Allocator.Allocate] waits until there is room.
// [Allocator.TryAllocate] does not wait and is not remembered. A [Request],
// for schedulers, does not wait either, but stands in line once it has been
// refused; together with [Allocator.Notify] it needs neither a goroutine for
// each job nor polling.
//
// # Guarantees
//
//   - C1. A request goes where its impact is least: the largest part it takes of
//     what is free of any resource. Ties go to the first node by name. The
//     comparison is exact.
//   - C2. What is leased of a node never exceeds its total, in any interleaving,
//     except through [Allocator.Restore] or when the total shrinks. Whoever asks
//     for nothing gets one core.
//   - C3. Nobody in line is starved. Who fits is served in order of arrival; who
//     does not may be overtaken [MaxOvertaken] times. After that a node is
//     reserved for it: of what it needs there, others get only what it leaves
//     over. Until then, and on all other nodes, nobody is held up.
//   - A refusal explains itself: see [RefusedError] and [Allocator.Explain].
//
// Nodes that are far away are not always there, and may have other users. One that
// is suspended, or of which it is not known yet what it has, takes no work but is
// expected to: what needs it waits, and is not refused for ever. What others take
// of a node is not free, but still counts as what it has.
//
// What starves nobody still needs leases to end. If those on the reserved node
// do not, further nodes are reserved one by one, after MaxOvertaken more
// overtakings each. Those who wait behind others who have nodes reserved, with
// nothing left to reserve for themselves, get their turn after them.
//
// # Limits
//
// Capacity is what was declared, not what is measured: nothing here looks at
// what jobs really use, and enforcing is the executors' affair. Amounts are
// whole numbers up to [MaxAmount]. A question costs time in proportion to the
// number of nodes, some microseconds for a thousand. The names of resources
// that nodes have had are remembered for the life of the Allocator.
package capacity
