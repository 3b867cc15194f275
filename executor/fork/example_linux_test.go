package fork_test

import (
	"context"
	"fmt"
	"os"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
)

// With a directory, commands outlive the engine. Another one finds what has ended
// meanwhile, or what still runs, by the key of the attempt.
func ExampleConfig_dir() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	a := &executor.Attempt{
		Run: "example", Task: "hello", Instance: "hello", Number: 1, Key: "example-0-0-1",
		Job:    dag.Command("echo", "hello"),
		Stdout: os.Stdout, Stderr: os.Stderr,
	}
	for _, engine := range []string{"first", "second"} {
		fmt.Println(engine, "engine")
		a.Resumed = engine == "second"
		result, err := fork.New(fork.Config{Dir: dir}).Run(context.Background(), a)
		fmt.Println(result, err)
	}

	// Output:
	// first engine
	// hello
	// success <nil>
	// second engine
	// hello
	// success <nil>
}
