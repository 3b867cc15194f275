// Command parameters runs one task for each of three dates.
//
// dag.json has a task calc_date that refers to {{DATE}}, which is a list. So the
// task stands for three instances: calc_date_1 to calc_date_3. They start when
// populate_inputs is done, and generate_report waits for all of them. {{DIR}} is
// one text, which is only put in; this program sets it.
package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/runner"
)

//go:embed dag.json
var definition []byte

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "parameters-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the system cleans up otherwise

	d, err := dag.Parse(definition)
	if err != nil {
		return err
	}
	report, err := runner.Run(ctx, d.With(dag.Parameters{"DIR": dag.Scalar(dir)}))
	if err != nil {
		return err
	}
	for t := range report.Tasks() {
		if _, err := fmt.Fprintln(out, t.State, t.Name); err != nil {
			return err
		}
	}
	last, _ := report.Task("generate_report")
	results, _ := last.Stdout()
	_, err = fmt.Fprintf(out, "generate_report found:\n%s", results)
	return err
}
