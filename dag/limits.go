package dag

// Limits bound what a definition may ask for. In each field 0 means the
// default and a negative number means no limit.
type Limits struct {
	// Tasks in a run, generated ones included. Default: 2,000,000.
	Tasks int
	// Instances in a run, over all tasks. Default: 10,000,000.
	Instances int
	// Product is the number of instances of one task. Default: 10,000,000.
	Product int
	// GeneratorOutput is the size of what one generator prints, in bytes.
	// Default: 64 MiB.
	GeneratorOutput int64
	// Definition is the size of a definition in JSON, in bytes. Default: 1 GiB.
	Definition int64
	// Depth is how deeply a definition in JSON may be nested. Default: 64. More
	// than 10,000 is never allowed.
	Depth int
}

// WithDefaults returns l with the default in place of each 0, and the largest
// value in place of each negative number.
func (l Limits) WithDefaults() Limits {
	return Limits{
		Tasks:           limit(l.Tasks, 2_000_000),
		Instances:       limit(l.Instances, 10_000_000),
		Product:         limit(l.Product, 10_000_000),
		GeneratorOutput: limit(l.GeneratorOutput, 64<<20),
		Definition:      limit(l.Definition, 1<<30),
		Depth:           limit(l.Depth, 64),
	}
}

func limit[T int | int64](v, def T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		// The largest positive value of T.
		return T(^uint(0) >> 1)
	}
	return v
}
