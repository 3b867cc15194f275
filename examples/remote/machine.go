//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote/agent"
)

// cores is what each machine offers, whatever this one has.
const cores = 2

// A machine is this program, started again as a runner daemon.
type machine struct {
	name, address string
	cmd           *exec.Cmd
	killed        bool
}

func startMachine(ctx context.Context, dir, name, token string) (*machine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Not CommandContext: an interrupt is told to the daemon, and it ends by itself.
	cmd := exec.Command(self, "daemon", filepath.Join(dir, name), name, token)
	cmd.Stderr = os.Stderr
	says, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	address, err := bufio.NewReader(says).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s does not start: %w", name, err), cmd.Wait())
	}
	return &machine{name: name, address: strings.TrimSpace(address), cmd: cmd}, nil
}

// kill ends the daemon at once. That it did not end well is what was wanted.
func (m *machine) kill() error {
	m.killed = true
	err := m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	return err
}

// shutdown ends the daemon as its machine would.
func (m *machine) shutdown() error {
	if m.killed {
		return nil
	}
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := m.cmd.Wait(); err != nil {
		return fmt.Errorf("daemon %s: %w", m.name, err)
	}
	return nil
}

// daemon is what such a process does, until it gets SIGTERM.
func daemon(ctx context.Context, dir, name, token string) error {
	ctx, stop := untilTerminated(ctx)
	defer stop()
	a, err := agent.New(ctx, agent.Config{
		Dir: dir, Node: name, Grace: 500 * time.Millisecond,
		Capacity: capacity.Resources{dag.Cores: cores, dag.MemoryMB: 1000},
		Auth:     agent.Auth{TokenFile: token},
	})
	if err != nil {
		return err
	}
	err = a.Serve(ctx, agent.Listening{Address: "127.0.0.1:0"}, func(address string) {
		fmt.Println(address)
	})
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, a.Shutdown(patient))
}
