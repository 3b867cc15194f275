package filelog

// garbage is what nothing refers to any more. It is collected under the log's
// mutex and swept without.
type garbage struct {
	segments []*segment
	sides    []uint64
}

// discardRun makes garbage of the files of a removed run that nobody reads. The
// caller holds mu.
func (l *Log) discardRun(r *run) {
	if r.removed && r.readers == 0 {
		l.garbage.sides = append(l.garbage.sides, r.sides...)
		r.sides = nil
	}
}

// discardSegment makes garbage of a retired segment that nobody reads. The caller
// holds mu.
func (l *Log) discardSegment(s *segment) {
	if s.retired && s.readers == 0 {
		l.garbage.segments = append(l.garbage.segments, s)
	}
}

// sweep removes the garbage. What it cannot remove is left to the next time, and all
// of it to who opens the log next if it is closed.
func (l *Log) sweep() {
	l.sweeping.Lock()
	defer l.sweeping.Unlock()
	l.mu.Lock()
	g, closed := l.garbage, l.closed
	l.garbage = garbage{}
	l.mu.Unlock()
	if closed {
		for _, s := range g.segments {
			s.close()
		}
		return
	}
	l.removeSides(g.sides)
	var gone, left []*segment
	for _, s := range g.segments {
		if s.remove(l.fs) == nil {
			gone = append(gone, s)
		} else {
			left = append(left, s)
		}
	}
	if len(gone) > 0 && l.fs.SyncDir() != nil {
		// They may be there again after a crash, and then it must be known still
		// which runs were removed.
		gone = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.garbage.segments = append(l.garbage.segments, left...)
	for _, s := range gone {
		l.bury(s)
	}
}

// remove closes and removes the file.
func (s *segment) remove(fs fileSystem) error {
	s.close()
	return fs.Remove(s.name())
}

func (s *segment) close() {
	if s.file != nil {
		_ = s.file.Close() // it was synced or is of no use
		s.file = nil
	}
}

// bury notes that a segment will not come back.
func (l *Log) bury(s *segment) {
	for number, d := range l.dead {
		delete(d.segments, s)
		if len(d.segments) == 0 {
			delete(l.dead, number)
		}
	}
}
