package fork

// Crowded makes e watch its commands as it does when it runs very many.
func Crowded(e *Executor) *Executor {
	e.system.threads.Add(maxThreads)
	return e
}
