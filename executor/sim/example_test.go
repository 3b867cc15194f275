package sim_test

import (
	"context"
	"fmt"
	"os"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/sim"
)

// A script says what goes wrong, by the name of the task or instance.
func Example() {
	ex := sim.New(sim.Config{Script: map[string]sim.Behaviour{
		"fetch": {Stdout: "fetching\n", Fail: 1, ExitCode: 3},
	}})
	for number := 1; number <= 2; number++ {
		a := &executor.Attempt{
			Task: "fetch", Instance: "fetch", Number: number,
			Stdout: os.Stdout, Stderr: os.Stderr,
		}
		res, err := ex.Run(context.Background(), a)
		fmt.Println(res, err)
	}
	// Output:
	// fetching
	// failure (exit 3) <nil>
	// fetching
	// success <nil>
}
