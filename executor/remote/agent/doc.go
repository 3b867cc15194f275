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
// # Who may call
//
// [Auth] has a file of tokens, a role and a token a line, to which nobody else may have
// access:
//
//	# engines; the second token is on its way out
//	submit 0Wv3nTqzXxkAbfVvJpl5TnCqcT8T0qkvPZ9h0aNwH3E=
//	submit sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//	read   3kTqzXxkAbfVvJpl5TnCqcT8T0qkvPZ9h0aNwH3E0Wv=
//
// The roles are read, submit and admin, each with what those before it may do. With
// sha256: it is the hash of a token, so that the file holds no secret. It is read again
// when it has changed. Certificates gives roles to names in client certificates that
// the authorities of [TLS].ClientCAFile have signed: a whole subject ("CN=engine,O=lab"),
// or "dns:", "uri:", "email:" or "ip:" and an alternative name. InsecureLoopback lets in
// everybody on this machine, and excludes the others.
//
// [Listening].Address is "host:port", or "unix:path" for a socket that is for the user
// of the daemon alone. What other machines can reach takes TLS, and is refused as root
// unless [Config].AllowRoot says otherwise. A request has to call the daemon by a name
// that it knows: localhost, 127.0.0.1, ::1, the address that the connection came in on,
// or one of [Config].Hosts. Pages in browsers are let in from nowhere else, and a token
// in a URL is refused.
//
// # Limits
//
// An attempt takes a goroutine, that of the executor's Run, and nothing else runs for
// it. Outputs of more than 16 KiB are in files, below Dir, as large as what the work
// prints. The journal grows with attempts that are not acknowledged; of those that are,
// a few bytes for each task remain. It is begun anew when most of it is of no use.
//
// A machine knows the processes of an attempt by its key, whichever daemon of the same
// user started them: what is submitted to two of them under one key is stopped by both.
//
// An ephemeral daemon keeps no journal. It stops everything when it ends, and another
// one knows nothing of it; if it is killed, processes go on.
//
// FORMAT.md beside this file says what is in the directory.
package agent
