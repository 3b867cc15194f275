package redislog

// keys are the names of what a log has in Redis. All of them have the same hash
// tag: in a cluster they are in one slot, so that one script can change a run
// and the indexes together.
type keys struct {
	tag string // "{daggy}:"

	runs, open, closed string // indexes, see FORMAT.md
	order              string
	touched            string
	late               string // what this Log gave up
}

func newKeys(prefix, log string) keys {
	tag := "{" + prefix + "}:"
	return keys{
		tag:  tag,
		runs: tag + "runs", open: tag + "open", closed: tag + "closed",
		order: tag + "order", touched: tag + "touched",
		late: tag + "late:" + log,
	}
}

func (k *keys) run(run string) string  { return k.tag + "run:" + run }
func (k *keys) log(run string) string  { return k.tag + "log:" + run }
func (k *keys) gone(run string) string { return k.tag + "gone:" + run }
func (k *keys) lock(run string) string { return k.tag + "lock:" + run }
