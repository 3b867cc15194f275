package remote_test

import (
	"context"
	"errors"
	"net"

	"github.com/daggy-go/daggy/executor/remote"
)

// node is how the executor is told of d.
func (d *daemon) node() remote.Node {
	return remote.Node{Name: d.name, URL: "http://" + d.name, Dial: d.dial}
}

// A daemon is its own listener.
func (d *daemon) Accept() (net.Conn, error) {
	select {
	case conn := <-d.accepts:
		return conn, nil
	case <-d.ended:
		return nil, net.ErrClosed
	}
}

func (d *daemon) Close() error {
	d.once.Do(func() { close(d.ended) })
	return nil
}

func (d *daemon) Addr() net.Addr { return &net.UnixAddr{Name: d.name, Net: "pipe"} }

var errCut = errors.New("nobody is there")

func (d *daemon) dial(ctx context.Context) (net.Conn, error) {
	d.mu.Lock()
	d.asked["dial"]++
	refused := d.cut
	d.mu.Unlock()
	if refused {
		return nil, errCut
	}
	client, server := net.Pipe()
	d.mu.Lock()
	d.conns[server] = true
	d.mu.Unlock()
	select {
	case d.accepts <- &gated{server, d}:
		return client, nil
	case <-d.ended:
		return nil, errCut
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// gated hears nothing while the daemon is silent.
type gated struct {
	net.Conn
	d *daemon
}

func (g *gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	for err == nil {
		g.d.mu.Lock()
		silent, changed := g.d.silent, g.d.changed
		g.d.mu.Unlock()
		if !silent {
			break
		}
		<-changed
	}
	return n, err
}

func (g *gated) Write(b []byte) (int, error) {
	for {
		g.d.mu.Lock()
		silent, changed := g.d.silent, g.d.changed
		g.d.mu.Unlock()
		if !silent {
			return g.Conn.Write(b)
		}
		<-changed
	}
}

// hangUp ends all connections.
func (d *daemon) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		_ = c.Close()
	}
	clear(d.conns)
}

// leaves ends all connections and refuses new ones.
func (d *daemon) leaves() {
	d.set(func() { d.cut = true })
	d.hangUp()
}

// setSilent is a partition: nothing arrives and nothing is refused.
func (d *daemon) setSilent(silent bool) { d.set(func() { d.silent = silent }) }
