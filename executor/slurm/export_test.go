package slurm

// CommandEnviron is what Slurm's commands get of an environment.
var CommandEnviron = commandEnviron

// Unwatched has the executor find new files by listing alone, as it does those of
// other machines.
func Unwatched(e *Executor) *Executor {
	e.keeper.unwatched = true
	return e
}

// Clerks is how many attempts are looked at at the same time.
const Clerks = clerks
