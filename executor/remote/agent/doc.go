// Package agent is the runner daemon: it runs the attempts of engines elsewhere on
// the machine that it is started on.
//
//	a, err := agent.New(ctx, agent.Config{
//		Dir:  "/var/lib/daggy",
//		Auth: agent.Auth{TokenFile: "/etc/daggy/tokens"},
//	})
//	…
//	err = a.Serve(ctx, agent.Listening{Address: "127.0.0.1:2504"}, nil)
//	…
//	err = a.Shutdown(context.Background())
//
// An [Agent] is an [http.Handler], with the guard inside that lets in whom
// [Config].Auth names, and nobody if that is zero. PROTOCOL.md in package remote
// has what can be asked of it. It runs attempts with any executor, by default as
// processes that outlive it.
//
// # Guarantees
//
//   - A key is claimed in the journal, on the disk, before anything starts under it,
//     and never starts again, however often it is submitted, by whom, and whatever
//     dies in between (E5). What was closed never starts.
//   - What is open when the daemon ends or is killed is found again by the one after
//     it, if the executor is durable: by its key alone if the executor refuses jobs
//     without a command, as fork does, and otherwise when its engine submits it
//     again. Nothing of a job is written down but its key, its resources and a hash, for
//     its environment may hold secrets. What an executor that is not durable was doing
//     is lost.
//   - Outcomes and outputs are kept until they are acknowledged, or [Config].RetainAge
//     and RetainBytes are over; then exit code, signal and cause stay.
//   - It takes no more than it has room for (C2, E8), and refuses the rest: definitely
//     not started.
//   - At the end of a lease the attempt is stopped. Leases are counted by a clock that
//     goes on while the machine sleeps, from one daemon to the next.
//   - If the journal cannot be written, nothing new starts, what runs goes on, and
//     outcomes wait in memory. It is tried again every second.
//
// # Limits
//
// An attempt takes a goroutine, that of the executor's Run, and nothing else runs for
// it. Outputs of more than 16 KiB are in files, below Dir, as large as what the work
// prints. The journal grows with attempts that are not acknowledged; of those that are,
// a few bytes for each task remain. It is begun anew when most of it is of no use.
//
// An ephemeral daemon keeps no journal. It stops everything when it ends, and another
// one knows nothing of it; if it is killed, processes go on.
//
// FORMAT.md beside this file says what is in the directory.
package agent
