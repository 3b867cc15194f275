package redislog

import "strings"

// keys are the names of what a log has in Redis. All of them have the same hash
// tag: in a cluster they are in one slot, so that one script can change a run
// and the indexes together.
type keys struct {
	tag string // "{daggy}:"

	runs, open, closed string // indexes, see FORMAT.md
	order              string
	behind             string // runs whose documents are behind
	removed            string // runs whose documents are to be removed
	touched            string
	late               string // what this Log gave up
}

func newKeys(prefix, log string) keys {
	tag := "{" + prefix + "}:"
	return keys{
		tag:  tag,
		runs: tag + "runs", open: tag + "open", closed: tag + "closed",
		order: tag + "order", behind: tag + "behind", removed: tag + "removed",
		touched: tag + "touched",
		late:    tag + "late:" + log,
	}
}

func (k *keys) run(run string) string  { return k.tag + "run:" + run }
func (k *keys) log(run string) string  { return k.tag + "log:" + run }
func (k *keys) gone(run string) string { return k.tag + "gone:" + run }
func (k *keys) lock(run string) string { return k.tag + "lock:" + run }

// past has the records of a run that was removed, until its documents are too.
func (k *keys) past(run string) string { return k.tag + "past:" + run }

// inName keeps a run's ID apart from what follows it.
var inName = strings.NewReplacer("%", "%25", "/", "%2F")

func (k *keys) runDocument(run string) string { return k.tag + "document:" + inName.Replace(run) }

func (k *keys) taskDocument(run, instance string) string {
	return k.runDocument(run) + "/" + instance
}
