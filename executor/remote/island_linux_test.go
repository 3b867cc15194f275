package remote_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/internal/helperproc"
	"github.com/daggy-go/daggy/runner"
)

// Each daemon is in a network namespace of its own, and so is the engine: real
// interfaces, which the kernel takes down and up again, with TLS and tokens, as on a
// network. The machine has to allow that.
func TestNetworkNamespaces(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can make networks")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("there is no command ip, which makes networks")
	}
	dir := t.TempDir()
	secret := rand.Text()
	i := island{Dir: dir, TokenFile: filepath.Join(dir, "tokens")}
	require.NoError(t, os.WriteFile(i.TokenFile, []byte("submit "+secret+"\n"), 0o600))
	files, _ := certificate(t, dir, i.address("a"), i.address("b"))
	i.Cert = files.CertFile
	for _, name := range islanders {
		c := daemonConfig{
			Dir: filepath.Join(dir, name), Node: name, Capacity: cores(2),
			Grace: 200 * time.Millisecond, Link: "p" + name, TokenFile: i.TokenFile, TLS: files,
			Address: net.JoinHostPort(i.address(name).String(), "2504"),
		}
		c.Capacity[dag.MemoryMB] = 100
		t.Cleanup((&machine{t: t, config: c}).clear)
		i.Daemons = append(i.Daemons, c)
	}
	config, err := json.Marshal(i)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	engine := helperproc.Exec(ctx, "island", string(config))
	engine.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	engine.WaitDelay = 10 * time.Second // if it is killed, its daemons hold its output
	said, err := engine.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skip("this process may not make networks")
	}
	require.NoError(t, err, "%s", said)
	counts := marks(t, dir)
	require.Zero(t, counts["twice"], "%v", counts)
	for _, name := range names(i.work()) {
		require.Equal(t, 1, counts["end "+name], "%v", counts)
	}
	require.NotContains(t, string(said), secret)
}

var islanders = []string{"a", "b"}

// An island is an engine and its daemons, and nobody else can reach them.
type island struct {
	Dir, TokenFile, Cert string
	Daemons              []daemonConfig
}

// address is that of a daemon. The first of its network is the engine's.
func (i *island) address(name string) net.IP { return net.IPv4(10, 77, name[0], 2) }

// work takes longer than a lease.
func (i *island) work() *dag.DAG { return marking(i.Dir, 6, 12*time.Second) }

// join waits for the interface of a daemon, and gives it its address.
func (c *daemonConfig) join(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if _, err := net.InterfaceByName(c.Link); err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return err
	}
	return errors.Join(
		ip("addr", "add", host+"/24", "dev", c.Link), ip("link", "set", c.Link, "up"),
	)
}

func ip(args ...string) error {
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// runIsland is the engine: CONFIG. One of the daemons is cut off for longer than the
// lease, and comes back.
func runIsland(args []string) (int, error) {
	var i island
	if err := json.Unmarshal([]byte(args[0]), &i); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	var nodes []remote.Node
	for _, c := range i.Daemons {
		daemon, err := i.settle(ctx, c)
		if err != nil {
			return 0, err
		}
		defer func() {
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
		}()
		node, err := i.node(c)
		if err != nil {
			return 0, err
		}
		nodes = append(nodes, node)
	}
	e, err := remote.New(remote.Config{
		Nodes: nodes, OnUnreachable: remote.Replace, Lease: 6 * time.Second,
		Margin: 500 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
	})
	if err != nil {
		return 0, err
	}
	defer func() { _ = e.Close() }()
	if err := e.Await(ctx); err != nil {
		return 0, err
	}
	return 0, i.cutOff(ctx, e)
}

// settle starts a daemon in a network of its own, with a cable to the engine.
func (i *island) settle(ctx context.Context, c daemonConfig) (*exec.Cmd, error) {
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	daemon := helperproc.Exec(ctx, "daemon", string(config))
	daemon.Stderr = os.Stderr
	daemon.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	out, err := daemon.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := daemon.Start(); err != nil {
		return nil, err
	}
	own := i.address(c.Node).To4()
	own[3] = 1
	err = errors.Join(
		ip("link", "add", "v"+c.Node, "type", "veth", "peer", "name", c.Link),
		ip("link", "set", c.Link, "netns", fmt.Sprint(daemon.Process.Pid)),
		ip("addr", "add", own.String()+"/24", "dev", "v"+c.Node),
		ip("link", "set", "v"+c.Node, "up"),
	)
	if err == nil {
		_, err = bufio.NewReader(out).ReadString('\n')
	}
	if err != nil {
		return nil, errors.Join(err, daemon.Process.Kill(), daemon.Wait())
	}
	return daemon, nil
}

func (i *island) node(c daemonConfig) (remote.Node, error) {
	cert, err := os.ReadFile(i.Cert)
	if err != nil {
		return remote.Node{}, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(cert)
	return remote.Node{
		Name: c.Node, URL: "https://" + c.Address, TokenFile: i.TokenFile,
		TLS: &tls.Config{RootCAs: pool},
	}, nil
}

// cutOff runs tasks on both daemons, takes the cable of the first away, and gives it back
// when all of them have run on the other.
func (i *island) cutOff(ctx context.Context, e *remote.Executor) error {
	d := i.work()
	for k := range d.Tasks {
		d.Tasks[k].Parents = nil
	}
	h, err := (&runner.Runner{
		Executor: e, Lost: runner.Backoff{Min: time.Millisecond},
	}).Start(ctx, d)
	if err != nil {
		return err
	}
	for begun := 0; begun < 4; {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		<-time.After(10 * time.Millisecond)
		data, _ := os.ReadFile(filepath.Join(i.Dir, "marks"))
		begun = strings.Count(string(data), "begin ")
	}
	if err := ip("link", "set", "va", "down"); err != nil {
		return err
	}
	report, err := h.Wait(ctx)
	if err != nil {
		return err
	}
	moved := 0
	for task := range report.Tasks() {
		if task.Node != "b" {
			return fmt.Errorf("%s ran on %s, which is cut off", task.Name, task.Node)
		}
		moved += task.Attempts - 1
	}
	if moved != 2 {
		return fmt.Errorf("%d attempts were moved, not the 2 that ran there", moved)
	}
	if err := ip("link", "set", "va", "up"); err != nil {
		return err
	}
	for !e.Nodes()[0].Up {
		if ctx.Err() != nil {
			return fmt.Errorf("it does not come back: %s", e.Nodes()[0].Trouble)
		}
		<-time.After(10 * time.Millisecond)
	}
	return nil
}
