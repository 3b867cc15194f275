package executortest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// Exit codes of [Play] that no check asks for.
const (
	playedBadly = 70  // the job could not be played
	playKilled  = 137 // Process.Kill was closed
)

// A Process is what [Play] plays in.
type Process struct {
	// Args are the words of the job, after what [Commands] puts before them.
	Args []string
	// Environment is what the job gets to see, entries "KEY=value".
	Environment []string
	// Stdout and Stderr are the outputs. Not nil.
	Stdout, Stderr io.Writer
	// Kill ends any job at once when it is closed, for executors that can end
	// what is not a process. Nil: never.
	Kill <-chan struct{}
	// Spawn starts a descendant that plays these words and shares everything
	// else. It does not wait for it. Nil: Tree and Orphan cannot be played.
	Spawn func(args ...string) error
}

// Play does what a job of [Commands] says and returns its exit code. The end of
// ctx asks it to stop.
func Play(ctx context.Context, p Process) int {
	code, err := p.play(ctx)
	if err != nil {
		// There is nobody left to tell if this fails too.
		_, _ = fmt.Fprintf(p.Stderr, "executortest: %q: %v\n", p.Args, err)
		return playedBadly
	}
	return code
}

func (p *Process) play(ctx context.Context) (int, error) {
	if len(p.Args) == 0 {
		return 0, errors.New("no words")
	}
	word, args := p.Args[0], p.Args[1:]
	switch word {
	case "arguments":
		return 0, p.list(args)
	case "environment":
		return 0, p.list(p.Environment)
	case "panic":
		panic(PanicValue)
	}
	if len(args) == 0 {
		return 0, errors.New("too few words")
	}
	switch word {
	case "exit":
		return strconv.Atoi(args[0])
	case "print":
		return 0, p.print(args)
	case "flood":
		return 0, p.flood(args[0])
	case "wait":
		return p.wait(ctx, args[0])
	case "stubborn":
		return p.wait(context.WithoutCancel(ctx), args[0])
	case "tree":
		if err := p.descend(ctx, args[0]); err != nil {
			return 0, err
		}
		return p.wait(ctx, args[0])
	case "orphan":
		return 0, p.descend(ctx, args[0])
	case "linger":
		return p.linger(context.WithoutCancel(ctx), args)
	}
	return 0, errors.New("unknown word")
}

func (p *Process) list(words []string) error {
	for _, word := range words {
		if _, err := io.WriteString(p.Stdout, word+"\x00"); err != nil {
			return err
		}
	}
	return nil
}

func (p *Process) print(args []string) error {
	for i, w := range []io.Writer{p.Stdout, p.Stderr} {
		data, err := hex.DecodeString(args[min(i, len(args)-1)])
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	}
	return nil
}

func (p *Process) flood(size string) error {
	left, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	piece := floodPiece()
	for left > 0 {
		n, err := p.Stdout.Write(piece[:min(left, int64(len(piece)))])
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}

// floodPiece is what Flood writes again and again. It does not consist of equal
// pages or lines, so that losing or swapping some shows.
func floodPiece() []byte {
	piece := make([]byte, 32<<10)
	for i := range piece {
		piece[i] = byte(i % 251)
	}
	return piece
}

// wait goes on until the suite closes its side of the connection.
func (p *Process) wait(ctx context.Context, hold string) (int, error) {
	conn, err := net.Dial("tcp", hold)
	if err != nil {
		return 0, err
	}
	// What ends last tells the suite that the job is over.
	defer func() { _ = conn.Close() }()
	select {
	case <-closed(conn):
		_, err = io.WriteString(p.Stdout, Ended)
		return 0, err
	case <-p.Kill:
		return playKilled, nil
	case <-ctx.Done():
		_, err = io.WriteString(p.Stdout, Stopped)
		return StopCode, err
	}
}

// closed returns a channel that is closed when the other side closes, or conn
// is closed here.
func closed(conn net.Conn) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, conn)
	}()
	return done
}

// descend starts a descendant and returns when it has dialled hold.
func (p *Process) descend(ctx context.Context, hold string) error {
	if p.Spawn == nil {
		return errors.New("cannot start descendants")
	}
	ready, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = ready.Close() }()
	if err := p.Spawn("linger", hold, ready.Addr().String()); err != nil {
		return err
	}
	accepted := make(chan error, 1)
	go func() {
		conn, err := ready.Accept()
		if err == nil {
			err = conn.Close()
		}
		accepted <- err
	}()
	select {
	case err := <-accepted:
		return err
	case <-p.Kill:
		return errors.New("killed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// linger is the descendant.
func (p *Process) linger(ctx context.Context, args []string) (int, error) {
	if len(args) < 2 {
		return 0, errors.New("too few words")
	}
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	ready, err := net.Dial("tcp", args[1])
	if err != nil {
		return 0, err
	}
	if err := ready.Close(); err != nil {
		return 0, err
	}
	select {
	case <-closed(conn):
		return 0, nil
	case <-p.Kill:
		return playKilled, nil
	case <-ctx.Done(): // never: it takes no notice
		return 0, nil
	}
}
