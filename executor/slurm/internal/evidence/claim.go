package evidence

import "strings"

// A Claim says who has a key for ever: a job, which runs its command, or an
// engine, so that nobody ever does. The zero Claim is nobody's.
type Claim struct {
	// Engine: an engine has it.
	Engine bool
	// ID of the job that has it, and its node.
	ID, Node string
}

const claimMark = "daggy-claim 1 "

// ParseClaim reads a claim. One that cannot be read is the claim of an unknown
// job: somebody has the key.
func ParseClaim(b []byte) Claim {
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Split(strings.TrimPrefix(line, claimMark), " ")
	switch {
	case !strings.HasPrefix(line, claimMark):
	case len(f) == 2 && f[0] == "engine":
		return Claim{Engine: true}
	case len(f) == 4 && f[0] == "job" && isID(f[1]):
		return Claim{ID: f[1], Node: f[3]}
	}
	return Claim{ID: unknownJob}
}

const unknownJob = "unknown"

// EngineClaim is the claim of an engine. Who is for people.
func EngineClaim(who string) []byte {
	return []byte(claimMark + "engine " + strings.ReplaceAll(who, " ", "-") + "\n")
}

// Free reports whether nobody has the key yet.
func (c Claim) Free() bool { return c == Claim{} }

// Known reports whether the job that has the key is known.
func (c Claim) Known() bool { return c.ID != "" && c.ID != unknownJob }
