package capacity

import "github.com/daggy-go/daggy/dag"

// Resources are amounts by name.
type Resources = dag.Resources
