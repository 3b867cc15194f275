package fork

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor/fork/internal/journal"
	"github.com/daggy-go/daggy/executor/fork/internal/wire"
)

// identify returns how to recognise a process, provided it is a child of this one.
// The inode of its descriptor is a number that no other process of this boot gets,
// where the kernel has a file system for them (6.9).
func identify(pid int) journal.Process {
	p := journal.Process{PID: pid}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return p
	}
	defer func() { _ = unix.Close(fd) }()
	var fs unix.Statfs_t
	var st unix.Stat_t
	if unix.Fstatfs(fd, &fs) == nil && fs.Type == unix.PID_FS_MAGIC && unix.Fstat(fd, &st) == nil {
		p.ID = st.Ino
	}
	return p
}

// An orphan is what a supervisor has started that was killed. How it ends can
// never be known, and nobody reads its output: it is stopped, and lost.
type orphan struct {
	*attempt
	entry journal.Entry
}

// bury stops what the supervisor before this one has left behind.
func (s *supervisor) bury(keys []string) {
	orphans := make([]orphan, 0, len(keys))
	s.mu.Lock()
	for _, key := range keys {
		o := orphan{s.newAttempt(key), s.journal.Entry(key)}
		s.attempts[key] = o.attempt
		orphans = append(orphans, o)
	}
	s.mu.Unlock()
	if !s.journal.Rebooted() && len(orphans) > 0 {
		s.askAll(orphans)
		s.askGroups()
	}
	s.buried = make(chan struct{})
	s.running.Go(func() {
		defer close(s.buried)
		s.buryGroups(orphans)
	})
	for _, o := range orphans {
		s.running.Go(o.bury)
	}
}

// askAll sends SIGTERM to whatever the orphans are.
func (s *supervisor) askAll(orphans []orphan) {
	r := newRound(s.locks)
	for _, o := range orphans {
		if o.entry.Grace > 0 {
			r.add(o.mark())
		}
	}
	for _, v := range r.strikeAll(unix.SIGTERM, time.Now().Add(searchTime)) {
		_ = unix.PidfdSendSignal(v.pidfd, unix.SIGCONT, nil, 0)
		_ = unix.Close(v.pidfd)
	}
}

func (o orphan) mark() mark { return mark{o.key, o.entry.Slot} }

// bury returns when nothing of the orphan lives any more, however long that takes.
func (o orphan) bury() {
	defer o.s.done(o.attempt)
	awaitDeath(o.alive, time.Now().Add(max(o.entry.Grace, 0)))
	insist(o.gone)
	// What has rid itself of all that it is known by is in the control groups, of which
	// it is not known whose they are.
	<-o.s.buried
	text := "its supervisor was killed, and it was stopped"
	if o.s.journal.Rebooted() {
		text = "the machine was restarted"
	}
	if err := o.s.journal.Lose(o.key, text); err != nil {
		complain(fmt.Errorf("key %s: that it is lost cannot be written: %w", o.key, err))
	}
	o.s.removeOutput(o.key)
	lost := wire.AppendFailure(nil, &wire.Failure{Class: wire.Lost, Text: text})
	o.finish(wire.Refused, lost, lost)
}

// awaitDeath gives what is alive time to end by itself.
func awaitDeath(alive func() bool, until time.Time) {
	const longest = 50 * time.Millisecond
	for pause := time.Millisecond; alive(); pause = min(2*pause, longest) {
		left := time.Until(until)
		if left <= 0 {
			return
		}
		<-time.After(min(pause, left))
	}
}

// insist calls what kills until nothing is there any more.
func insist(gone func() bool) {
	const longest = time.Second
	for pause := 10 * time.Millisecond; !gone(); pause = min(2*pause, longest) {
		<-time.After(pause)
	}
}

// gone kills what it finds of the orphan, and reports whether nothing is there any
// more: nothing that has its key or its lock, and not the process that was started.
// That cannot change, for whatever an orphan starts inherits these.
func (o orphan) gone() bool {
	if o.s.journal.Rebooted() && !o.s.locks.held(o.entry.Slot) {
		return true
	}
	signalProcess(o.entry.Process, unix.SIGKILL)
	return o.s.system.search.clear(o.mark()) && !o.alive()
}

// alive looks for the orphan where that is cheap.
func (o orphan) alive() bool {
	return o.s.locks.held(o.entry.Slot) ||
		!o.s.journal.Rebooted() && signalProcess(o.entry.Process, 0)
}

// signalProcess sends a signal to a process if it is still the same, and reports
// whether that lives. The descriptor is taken first, so that no other is hit.
func signalProcess(p journal.Process, signal unix.Signal) bool {
	if p.ID == 0 {
		return false // it cannot be recognised
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Ino != p.ID {
		return false
	}
	if s, ok := readStat(p.PID); !ok || s.state == 'Z' || s.state == 'X' {
		return false
	}
	err = unix.PidfdSendSignal(fd, signal, nil, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}
