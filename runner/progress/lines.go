package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// sameAgain is at which interval a line is written that says nothing new.
const sameAgain = 6

// showLines writes a line at every interval, and one when the round is over.
func (d *Display) showLines(r *round) {
	var tick <-chan time.Time
	if d.config.Every > 0 {
		t := time.NewTicker(d.config.Every)
		defer t.Stop()
		tick = t.C
	}
	var last counts
	quiet := 0
	for {
		select {
		case <-tick:
			f := d.frame(r, 1, 1)
			if f.over {
				continue // r.over is closed, and that line is the last
			}
			if quiet++; f.counts != last || quiet >= sameAgain {
				d.writeLine(f)
				last, quiet = f.counts, 0
			}
		case <-r.over:
			d.writeLine(d.frame(r, 1, 1))
			return
		}
	}
}

func (d *Display) writeLine(f *frame) {
	columns := d.config.Width
	if columns == 0 {
		columns = -1
	}
	if _, err := io.WriteString(d.out, clip(f.line(), columns)+"\n"); err != nil {
		d.failed(fmt.Errorf("progress: %w", err))
	}
}

// line says everything in one line.
func (f *frame) line() string {
	parts := []string{
		fmt.Sprintf("%d%% %d/%d: %s", f.percent(), f.ended(), f.total(), f.states()),
	}
	if f.over {
		parts[0] = fmt.Sprintf("%s in %s: %s", f.outcome, duration(f.elapsed), f.states())
	}
	parts = append(parts, f.pace()...)
	if !f.over {
		parts = append(parts, "after "+duration(f.elapsed))
	}
	for _, a := range f.longest {
		parts = append(parts, "longest "+a)
	}
	for _, e := range f.failures {
		parts = append(parts, "last failure "+e.text)
	}
	return strings.Join(parts, "; ")
}
