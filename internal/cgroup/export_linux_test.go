package cgroup

// Hold keeps the directories of the pool until release is called, though nobody has a
// group.
func (p *Pool) Hold() (release func(), err error) {
	if _, err := p.acquire(); err != nil {
		return nil, err
	}
	return p.leave, nil
}
