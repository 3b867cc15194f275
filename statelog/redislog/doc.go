// Package redislog keeps the records of runs in Redis, or in a server that speaks
// like it, through [github.com/redis/go-redis/v9].
//
//	client := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	defer client.Close()
//	log, err := redislog.New(client, redislog.Config{})
//	if err != nil {
//		return err
//	}
//	defer log.Close()
//	r := runner.Runner{Log: log}
//
// It keeps all rules of package statelog. It takes Redis 5 or newer, a single
// server, one behind Sentinel, or a cluster. FORMAT.md says what is stored.
//
// # What Redis can lose
//
// A record is as durable as the server makes it, and most servers acknowledge
// before they write:
//
//   - With "appendfsync always", what Append acknowledged survives a crash of the
//     server and of its machine.
//   - With "appendfsync everysec" about the last second is lost with the machine.
//     With the server alone nothing is, unless a sync was under way: the server
//     writes nothing meanwhile, for up to two seconds, but acknowledges.
//   - With snapshots alone, all since the last one is lost.
//   - When a replica takes over, what had not reached it is lost. With
//     [Config.Replicas], Append waits until that many replicas have it in memory.
//     Whether the one that takes over is among them is up to who chooses it.
//   - A server that evicts keys can lose any run: set maxmemory-policy to
//     noeviction.
//
// A log that was rewound so is refused. A Log remembers the end of every run that
// it was told of; when the server ends before it, or has other records there, all
// that the Log is asked about the run is [statelog.ErrLogRewound]. An engine whose
// records were lost stops then instead of going on beside a history that is not
// its own. A program that was started anew remembers nothing, goes on from what
// the server has, and runs again what that does not say is completed: who cannot
// have that uses "appendfsync always".
//
// # Lost answers
//
// Every batch has a name that is unique for ever, and is sent by one script which
// compares, appends and keeps the indexes. The client does not send it again by
// itself; the Log does, once, and the script knows a batch that it has. So an
// Append that was applied is never taken for one that was fenced, and none is
// applied twice. When no answer comes at all the error is
// [statelog.ErrAmbiguous]; the next Append or Read of the run first makes sure
// that what was sent does not arrive any more, so that what is read back stays
// true.
//
// # Documents
//
// For other programs a JSON document is kept of each run and of each instance
// that was tried, by the server's JSON module if it has one. They follow the
// records within a fraction of a second and nothing reads them back. DOCUMENTS.md
// says what is in them; [Config.NoDocuments] does without.
//
// # Cluster
//
// All keys of a log have the same hash tag, "{daggy}" unless [Config.Prefix] says
// otherwise, so they are in one slot and on one server. That is what lets one
// script change a run and the indexes of all runs together: an index is never
// behind and needs no repair. A log is therefore as large and as fast as one
// server; programs that need more use several logs.
//
// # Limits
//
// A batch has at most 500 MiB. Lock is a lease by the server's clock; that two
// engines never append to the same run does not depend on it.
package redislog
