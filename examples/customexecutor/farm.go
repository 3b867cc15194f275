package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"sync"
)

// A Farm stands in for whatever runs your jobs: a service with a queue in front
// of a few machines. This one lives in memory and its programs are functions,
// but like a real one it can be full, it knows orders by tickets, and its
// machines break.
type Farm struct {
	programs map[string]Program
	breaks   func(n int) bool
	queue    chan *Ticket
	machines sync.WaitGroup

	mu      sync.Mutex
	tickets int // given out; guarded by mu
	served  int // orders that machines have begun; guarded by mu
	closed  bool
}

// A Program is what the machines of a farm can run. It should return soon after
// ctx has ended, and at once when the power is off.
type Program func(ctx context.Context, p *Process) (exitCode int)

// A Process is a program at work.
type Process struct {
	Args, Env      []string
	Stdout, Stderr io.Writer
	PowerOff       <-chan struct{}
}

// FarmConfig says what a farm has.
type FarmConfig struct {
	Programs map[string]Program
	Machines int
	// Queue is how many orders may wait.
	Queue int
	// Breaks says which orders break the machine that runs them, counted from 1
	// as they are begun. Nil: none.
	Breaks func(n int) bool
}

// What a farm may answer.
var (
	ErrQueueFull = errors.New("farm: the queue is full")
	ErrNoProgram = errors.New("farm: no such program")
	ErrClosed    = errors.New("farm: closed")
	ErrWithdrawn = errors.New("farm: withdrawn before it began")
	ErrBroken    = errors.New("farm: the machine broke")
)

// NewFarm returns a farm that is at work.
func NewFarm(c FarmConfig) *Farm {
	f := &Farm{programs: c.Programs, breaks: c.Breaks, queue: make(chan *Ticket, c.Queue)}
	if f.breaks == nil {
		f.breaks = func(int) bool { return false }
	}
	for range c.Machines {
		f.machines.Go(func() {
			for t := range f.queue {
				f.serve(t)
			}
		})
	}
	return f
}

// Close takes no more orders, and waits for the end of those that there are.
func (f *Farm) Close() {
	f.mu.Lock()
	if !f.closed {
		f.closed = true
		close(f.queue)
	}
	f.mu.Unlock()
	f.machines.Wait()
}

// Knows reports whether there is such a program.
func (f *Farm) Knows(program string) bool { return f.programs[program] != nil }

// An Order is work for a farm.
type Order struct {
	Words          []string // the program and its arguments
	Env            []string
	Stdout, Stderr io.Writer
	OnStart        func() // called when a machine begins
}

// Submit puts an order into the queue.
func (f *Farm) Submit(o Order) (*Ticket, error) {
	if len(o.Words) == 0 || !f.Knows(o.Words[0]) {
		return nil, fmt.Errorf("%w: %q", ErrNoProgram, o.Words)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	t := &Ticket{
		Number: strconv.Itoa(f.tickets + 1), order: o,
		off: make(chan struct{}), done: make(chan struct{}),
	}
	select {
	case f.queue <- t:
		f.tickets++
		return t, nil
	default:
		return nil, ErrQueueFull
	}
}

// serve has a machine carry out an order.
func (f *Farm) serve(t *Ticket) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if !t.begin(cancel) {
		return
	}
	f.mu.Lock()
	f.served++
	broken := f.breaks(f.served)
	f.mu.Unlock()
	t.order.OnStart()
	if broken {
		t.PowerOff()
	}
	code, err := f.call(ctx, t)
	if broken {
		err = ErrBroken
	}
	t.end(code, err)
}

func (f *Farm) call(ctx context.Context, t *Ticket) (code int, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &CrashError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f.programs[t.order.Words[0]](ctx, &Process{
		Args: t.order.Words[1:], Env: t.order.Env,
		Stdout: t.order.Stdout, Stderr: t.order.Stderr,
		PowerOff: t.off,
	}), nil
}

// CrashError is the error of a program that panicked.
type CrashError struct {
	Value any
	Stack []byte
}

func (c *CrashError) Error() string { return fmt.Sprintf("farm: panic: %v", c.Value) }

// A Ticket is an order that was taken.
type Ticket struct {
	Number string
	order  Order
	off    chan struct{} // closed by PowerOff
	done   chan struct{}

	mu     sync.Mutex
	cancel func() // nil: it has not begun
	over   bool
	dark   bool
	code   int
	err    error
}

// begin reports whether the order is still wanted.
func (t *Ticket) begin(cancel func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
	return !t.over
}

func (t *Ticket) end(code int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.finish(code, err)
}

// finish is end with mu held.
func (t *Ticket) finish(code int, err error) {
	t.over, t.code, t.err = true, code, err
	close(t.done)
}

// Cancel withdraws the order if it has not begun. Otherwise it asks the program
// to stop.
func (t *Ticket) Cancel() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
	case t.cancel == nil:
		t.finish(0, ErrWithdrawn)
	default:
		t.cancel()
	}
}

// PowerOff ends the program without asking.
func (t *Ticket) PowerOff() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.dark {
		t.dark = true
		close(t.off)
	}
}

// Done is closed when nothing of the order is left.
func (t *Ticket) Done() <-chan struct{} { return t.done }

// Outcome is how it ended. Only call it after Done.
func (t *Ticket) Outcome() (exitCode int, err error) { return t.code, t.err }
