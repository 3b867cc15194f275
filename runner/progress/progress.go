package progress

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/daggy-go/daggy/runner"
)

// Config says what a [Display] shows. The zero Config is a good one.
type Config struct {
	// Mode of the display. Zero: [Auto].
	Mode Mode
	// Width is how many columns a line may take. 0: as many as the terminal has;
	// where there is none, 80 for a live block and no limit for lines. A
	// terminal that is narrower counts in any case.
	Width int
	// Every is the least time between two lines of a run that goes on, if there
	// is no terminal. 0: ten seconds; negative: only the line at the end. Lines
	// that would repeat the last one are written at every sixth interval only.
	Every time.Duration
	// Running is how many running attempts a live block lists. 0: five;
	// negative: none. On a low terminal there are fewer.
	Running int
	// Failed is how many failures a live block lists. 0: three; negative: none.
	Failed int
}

// withDefaults returns c with every zero filled in, for output to w.
func (c Config) withDefaults(w io.Writer) Config {
	switch {
	case w == nil:
		c.Mode = Off
	case c.Mode == Auto && isTerminal(w):
		c.Mode = Live
	case c.Mode == Auto:
		c.Mode = Lines
	}
	if c.Every == 0 {
		c.Every = 10 * time.Second
	}
	c.Running = orDefault(c.Running, 5)
	c.Failed = orDefault(c.Failed, 3)
	return c
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return max(0, n)
}

// isTerminal reports whether a block can be drawn on w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// A Display shows how runs fare. Make it with [New] and give its
// [Display.Observer] to Runners. All methods are safe for concurrent use.
type Display struct {
	config Config
	out    io.Writer

	mu     sync.Mutex // guards what follows, and the rounds
	rounds map[*runner.Handle]*round
	last   *runner.Handle // that of the last event; it spares a look into rounds
	lastIn *round
	now    *round        // what runs are added to; nil: none is active
	shown  chan struct{} // closed when the last round has been shown; nil: there was none
	closed bool
	err    error
}

// New returns a Display that writes to w. A nil w shows nothing. Only the
// Display should write there while runs are active. Nothing is written before a
// run starts.
func New(w io.Writer, c Config) *Display {
	return &Display{
		config: c.withDefaults(w),
		out:    w,
		rounds: map[*runner.Handle]*round{},
	}
}

// Wait waits until everything that started is over and has been shown for the
// last time, so that the output is free for others. It is called when
// [runner.Runner.Run] or [runner.Handle.Wait] has returned, or at any time. ctx
// ends only the waiting; then the error is its cause.
func (d *Display) Wait(ctx context.Context) error {
	for {
		d.mu.Lock()
		shown := d.shown
		d.mu.Unlock()
		if shown == nil {
			return nil
		}
		select {
		case <-shown:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		d.mu.Lock()
		if d.shown == shown {
			d.shown = nil
		}
		d.mu.Unlock()
	}
}

// Close draws what there is for the last time, also of runs that go on, and ends
// all goroutines of the Display. Runs that start later are not shown. The error
// is the first that the writer returned, since New. To close again does nothing
// and returns the same.
func (d *Display) Close() error {
	d.mu.Lock()
	d.closed = true
	if d.now != nil {
		d.now.leave()
	}
	d.mu.Unlock()
	_ = d.Wait(context.Background()) // it ends, for every round does
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// failed keeps the first error of the writer.
func (d *Display) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
}
