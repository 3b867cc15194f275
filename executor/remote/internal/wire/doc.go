// Package wire is what a client and a runner daemon say to each other: the
// bodies of requests and answers, as Go types, and their JSON. PROTOCOL.md in
// package remote has the routes and what they mean.
//
// Submissions are read strictly: a member that is not known, that is there
// twice or that has the wrong type is a [*BadError], so that a daemon never
// drops a limit that it does not know. Everything that a daemon says is read
// leniently: unknown members are skipped, so that it may say more one day.
//
// [Submission], [State] and [Answer] are written and read by hand, since there is
// one of each for every attempt. The other bodies go through encoding/json.
//
// Reading is bounded in depth and never panics. The bound in bytes is the
// reader's, see [MaxSubmission].
package wire
