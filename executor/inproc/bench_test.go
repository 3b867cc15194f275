package inproc_test

import (
	"context"
	"io"
	"testing"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
)

// BenchmarkRun is what the executor adds to a function: ns/op is the price of a
// task that does nothing.
func BenchmarkRun(b *testing.B) {
	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{
		"noop": func(context.Context, *inproc.Call) error { return nil },
		"exit": func(context.Context, *inproc.Call) error { return inproc.ExitError(3) },
	}})
	for _, name := range []string{"noop", "exit"} {
		b.Run("function="+name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			a := &executor.Attempt{
				Job:      dag.Command(name),
				Stdout:   io.Discard,
				Stderr:   io.Discard,
				OnReport: func(executor.Status) {},
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ex.Run(ctx, a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
