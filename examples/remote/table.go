//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// tell shows which node ran what, what was moved, and whether the notes agree.
func tell(out io.Writer, s *story, machines []*machine, dir string) error {
	var b strings.Builder
	victim := machines[0]
	fmt.Fprintf(&b, "\nThree runner daemons with %d cores each, and a pipeline of %d tasks.\n"+
		"%s, process %d, was killed with SIGKILL when %d of them had completed.\n\n",
		cores, s.report.Counts[runner.Completed], victim.name, victim.cmd.Process.Pid,
		s.completedBefore())
	ran, moved := byNode(s)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NODE\tCOMPLETED\tTASKS")
	for _, m := range machines {
		name := m.name
		if m.killed {
			name += " (killed)"
		}
		tasks := ran[m.name]
		_, _ = fmt.Fprintf(w, "%s\t%d\t%s\n", name, len(tasks), strings.Join(tasks, " "))
	}
	_ = w.Flush()
	b.WriteString("\n")
	_, _ = fmt.Fprintln(w, "MOVED\tFROM\tTO\tLOST AFTER\tBECAUSE")
	for _, m := range moved {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%.1fs\t%s\n", m.task, m.from, m.to,
			m.after.Seconds(), m.because)
	}
	_ = w.Flush()
	if _, err := io.WriteString(out, b.String()); err != nil {
		return err
	}
	return verdict(out, s, moved, dir)
}

// completedBefore is how many tasks had completed when the machine was killed.
func (s *story) completedBefore() int {
	n := 0
	for _, ev := range s.ended {
		if ev.Kind == statelog.Done && ev.Time.Before(s.killed) {
			n++
		}
	}
	return n
}

// A move is an attempt that was lost, and where its task completed instead.
type move struct {
	task, from, to, because string
	after                   time.Duration // since the machine was killed
}

// byNode sorts what completed by node, and finds what was moved.
func byNode(s *story) (ran map[string][]string, moved []move) {
	ran, nodes := map[string][]string{}, map[string]string{}
	for t := range s.report.Tasks() {
		nodes[t.Name] = t.Node
		ran[t.Node] = append(ran[t.Node], t.Name)
	}
	for _, ev := range s.ended {
		if ev.Kind != statelog.Lost {
			continue
		}
		because := ev.Reason
		if i := strings.LastIndex(because, ": "); i >= 0 {
			because = because[i+2:]
		}
		moved = append(moved, move{
			task: ev.Instance, from: s.nodes[attempt{ev.Instance, ev.Attempt}],
			to: nodes[ev.Instance], because: because, after: ev.Time.Sub(s.killed),
		})
	}
	return ran, moved
}

// verdict compares the report with what the commands wrote themselves.
func verdict(out io.Writer, s *story, moved []move, dir string) error {
	counts, err := readNotes(dir)
	if err != nil {
		return err
	}
	lost := map[string]int{}
	for _, m := range moved {
		lost[m.task]++
	}
	for t := range s.report.Tasks() {
		c := counts[t.Name]
		if c.twice > 0 || c.end < 1 || c.begin > 1+lost[t.Name] {
			return fmt.Errorf("%s began %d times, ended %d times, was there twice at once %d "+
				"times, and %d attempts were lost", t.Name, c.begin, c.end, c.twice, lost[t.Name])
		}
	}
	if len(moved) == 0 {
		return errors.New("nothing was moved: the machine was killed too late")
	}
	_, err = fmt.Fprintf(out, "\nBy their own notes all %d tasks ran to their end. Those that "+
		"moved began on %s\ntoo, and were ended there before they began again: no two copies ran "+
		"at once.\n", len(counts), moved[0].from)
	return err
}
