package expand

import "github.com/daggy-go/daggy/dag"

// Version is the version of the rules by which tasks become instances: what a
// placeholder is, how a commandString is split, which instance has which name,
// index and values. A log records it with a definition, in place of the
// instances; a library with another Version must not go on with such a run, for
// it could take one instance for another. Any change of a result changes it.
const Version = 1

// An Expander has the functions of this package within limits of its own. The
// zero Expander has the default limits and is what the functions use.
type Expander struct {
	// Limits bound tasks, instances and products. The others mean nothing here.
	Limits dag.Limits
}
