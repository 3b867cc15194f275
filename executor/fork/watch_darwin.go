package fork

func newWatch(s *system, p *child) watch { return newCopiers(s, p) }
