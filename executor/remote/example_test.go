package remote_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/statelog"
)

// Two machines, each with a daemon that this process plays. The task goes where it
// hurts least.
func Example() {
	ctx := context.Background()
	greet := executor.RunFunc(func(
		_ context.Context, a *executor.Attempt,
	) (executor.Result, error) {
		_, err := fmt.Fprintln(a.Stdout, "hello from", a.Node)
		return executor.Result{}, err
	})
	var nodes []remote.Node
	for name, cores := range map[string]int64{"small": 2, "large": 8} {
		daemon, err := agent.New(ctx, agent.Config{
			Ephemeral: true, Executor: greet, Node: name,
			Capacity: capacity.Resources{dag.Cores: cores, dag.MemoryMB: 1000},
			Auth:     agent.Auth{InsecureLoopback: true},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = daemon.Shutdown(ctx) }()
		server := httptest.NewServer(daemon)
		defer server.Close()
		nodes = append(nodes, remote.Node{Name: name, URL: server.URL})
	}
	ex, err := remote.New(remote.Config{Nodes: nodes, Ephemeral: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = ex.Close() }()
	if err := ex.Await(ctx); err != nil { // else it would go to the first that answers
		fmt.Println(err)
		return
	}
	r := &runner.Runner{Executor: ex}
	d := &dag.DAG{Tasks: []dag.Task{{Name: "greet", Job: dag.Command("greet")}}}
	report, err := r.Run(ctx, d)
	if err != nil {
		fmt.Println(err)
		return
	}
	task, _ := report.Task("greet")
	stdout, _ := task.Stdout()
	_, _ = os.Stdout.Write(stdout)
	// Output: hello from large
}

// What the README shows.
func _(ctx context.Context, d *dag.DAG, log statelog.StateLogger) error {
	ex, err := remote.New(remote.Config{
		Nodes: []remote.Node{
			{Name: "n1", URL: "https://n1:2504", TokenFile: "/etc/daggy/engine.token"},
			{Name: "n2", URL: "https://n2:2504", TokenFile: "/etc/daggy/engine.token"},
		},
		OnUnreachable: remote.Replace, // or wait for them, however long it takes
	})
	if err != nil {
		return err
	}
	defer func() { _ = ex.Close() }()
	report, err := (&runner.Runner{Executor: ex, Log: log}).Run(ctx, d)
	_ = report
	return err
}
