package evidence

import "strings"

// A Phase is where a state of Slurm's is in the life of a job.
type Phase uint8

// The phases. The zero Phase says nothing at all.
const (
	Unknown Phase = iota // a word that this package does not know
	Waiting              // it has not started, or will start again
	Active               // something of it may run
	Ended                // nothing of it runs
)

// A Fate is what it means that a job ended without a report of its script.
type Fate uint8

// The fates. None is a success: that takes a report.
const (
	NoFate     Fate = iota // it has not ended
	Vanished               // it ended, and should have left a report
	Broken                 // the cluster failed it
	Cancelled              // somebody cancelled it
	OverTime               // it ran longer than it may
	OverMemory             // it used more memory than it may
)

// A State is the meaning of a state of Slurm's.
type State struct {
	Phase Phase
	Fate  Fate
}

// states has every state and flag that squeue and sacct can show, up to Slurm
// 24.11. The flags stand alone, in place of the state.
var states = map[string]State{
	"PENDING":       {Waiting, NoFate},
	"CONFIGURING":   {Waiting, NoFate}, // nodes are booted or set up for it
	"REQUEUED":      {Waiting, NoFate},
	"REQUEUE_FED":   {Waiting, NoFate},
	"REQUEUE_HOLD":  {Waiting, NoFate},
	"SPECIAL_EXIT":  {Waiting, NoFate}, // requeued, held and marked
	"RESV_DEL_HOLD": {Waiting, NoFate},
	"EXPEDITING":    {Waiting, NoFate},
	"POWER_UP_NODE": {Waiting, NoFate},

	"RUNNING":      {Active, NoFate},
	"SUSPENDED":    {Active, NoFate},
	"STOPPED":      {Active, NoFate},
	"RESIZING":     {Active, NoFate},
	"SIGNALING":    {Active, NoFate},
	"STAGE_OUT":    {Active, NoFate},
	"COMPLETING":   {Active, NoFate}, // some of its processes may be there yet
	"UPDATE_DB":    {Active, NoFate},
	"RECONFIG":     {Active, NoFate},
	"RECONFIGURED": {Active, NoFate},

	"COMPLETED":     {Ended, Vanished},
	"FAILED":        {Ended, Vanished},
	"CANCELLED":     {Ended, Cancelled},
	"TIMEOUT":       {Ended, OverTime},
	"DEADLINE":      {Ended, OverTime},
	"OUT_OF_MEMORY": {Ended, OverMemory},
	"NODE_FAIL":     {Ended, Broken},
	"PREEMPTED":     {Ended, Broken},
	"BOOT_FAIL":     {Ended, Broken},
	"LAUNCH_FAILED": {Ended, Broken},
	"RECONFIG_FAIL": {Ended, Broken},
	// A sibling of it was started in another cluster of the federation, so that
	// this says nothing of the job.
	"REVOKED": {Unknown, NoFate},
}

// Lookup returns the meaning of a word, such as "RUNNING" or sacct's
// "CANCELLED by 1000". A word that is not known, or was cut short, has none.
func Lookup(word string) State {
	word, _, _ = strings.Cut(word, " ")
	return states[word]
}
