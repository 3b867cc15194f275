package progress

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// refresh is the time between two drawings.
const refresh = 100 * time.Millisecond

// A block is the live block of a round. It is used by the goroutine that draws,
// which is mpb's.
type block struct {
	display *Display
	round   *round
	bar     mpb.BarFiller
	frame   *frame
}

// showLive draws a block until the round is over, and then once more.
func (d *Display) showLive(r *round) {
	b := &block{
		display: d, round: r,
		bar: mpb.BarStyle().Refiller("x").Build(),
	}
	var trouble strings.Builder
	p := mpb.New(
		mpb.WithOutput(d.out), mpb.WithWidth(d.config.Width), mpb.WithAutoRefresh(),
		mpb.WithRefreshRate(refresh), mpb.WithDebugOutput(&trouble),
	)
	_, _ = p.Add(0, mpb.BarFillerFunc(b.fillBar),
		mpb.BarFillerTrim(), mpb.BarExtender(mpb.BarFillerFunc(b.fillLines), false),
	) // it fails only after the end
	<-r.over
	p.Shutdown() // draws what is there now
	p.Wait()
	if text := strings.TrimSpace(trouble.String()); text != "" {
		d.failed(errors.New("progress: " + text))
	}
}

// fillBar draws the first line, and begins with that the block.
func (b *block) fillBar(w io.Writer, s decor.Statistics) error {
	running, failed := b.display.rows()
	f := b.display.frame(b.round, running, failed)
	b.frame = f
	columns := b.display.columns(s.AvailableWidth)
	before := fmt.Sprintf("%3d%% ", f.percent())
	after := fmt.Sprintf("  %d/%d", f.ended(), f.total())
	for _, part := range f.end() {
		after += "  " + part
	}
	s.AvailableWidth = columns - len(before) - len(after)
	s.RequestedWidth = 0
	s.Current, s.Total, s.Refill = int64(f.ended()), int64(f.total()), int64(f.bad())
	s.Completed = f.ended() == f.total()
	if s.AvailableWidth < minBar {
		_, err := io.WriteString(w, clip(before+after[2:], columns))
		return err
	}
	if _, err := io.WriteString(w, before); err != nil {
		return err
	}
	if err := b.bar.Fill(w, s); err != nil {
		return err
	}
	_, err := io.WriteString(w, after)
	return err
}

// minBar is the width below which a bar says nothing.
const minBar = 6

// end is what follows the bar.
func (f *frame) end() []string {
	if f.over {
		return append(f.pace(), "in "+duration(f.elapsed))
	}
	return f.pace()
}

// fillLines draws the other lines.
func (b *block) fillLines(w io.Writer, s decor.Statistics) error {
	columns := b.display.columns(s.AvailableWidth)
	for _, line := range b.frame.lines() {
		if _, err := fmt.Fprintln(w, clip(line, columns)); err != nil {
			return err
		}
	}
	return nil
}

func (f *frame) lines() []string {
	lines := []string{fmt.Sprintf("%s  (%s)", f.states(), duration(f.elapsed))}
	if f.over {
		lines[0] = f.outcome + ": " + f.states()
	}
	for _, a := range f.longest {
		lines = append(lines, "> "+a)
	}
	if f.more > 0 {
		lines = append(lines, fmt.Sprintf("> and %d more", f.more))
	}
	for _, e := range f.failures {
		mark := "~ "
		if e.final {
			mark = "! "
		}
		lines = append(lines, mark+e.text)
	}
	return lines
}

// columns is how wide a line may be.
func (d *Display) columns(available int) int {
	if d.config.Width > 0 {
		return min(d.config.Width, available)
	}
	return available
}

// rows is how many running attempts and failures there is room for: a block that
// is higher than the terminal could not be drawn over.
func (d *Display) rows() (running, failed int) {
	running, failed = d.config.Running, d.config.Failed
	f, ok := d.out.(*os.File)
	if !ok {
		return running, failed
	}
	_, height, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return running, failed
	}
	return share(height, running, failed)
}

// share divides the rows of a terminal: besides the lists there are the bar, the
// numbers, the count of what is not listed, and the row of the cursor.
func share(height, running, failed int) (int, int) {
	room := max(0, height-4)
	failed = min(failed, (room+1)/2)
	return min(running, room-failed), failed
}
