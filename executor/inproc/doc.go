// Package inproc runs Go functions as the commands of tasks.
//
// Functions are registered by name and called like commands, so that a
// definition reads the same whether a task is a process or a function:
//
//	ex := inproc.New(inproc.Config{Funcs: inproc.Funcs{
//		"resize": func(ctx context.Context, c *inproc.Call) error {
//			return resize(ctx, c.Args[0], c.Stdout)
//		},
//	}})
//	r := runner.Runner{Executor: ex}
//	report, err := r.Run(ctx, &dag.DAG{Tasks: []dag.Task{
//		{Name: "thumbnail", Job: dag.Command("resize", "160x120")},
//	}})
//
// # Guarantees
//
//   - A function that returns nil succeeded, also when it was asked to stop
//     (E1). Any error is exit 1, with its text in the message of the result;
//     [ExitError] chooses another code. [executor.LostError],
//     [executor.NotStartedError] and [executor.Permanent] pass through
//     unchanged.
//   - A panic becomes an [executor.PanicError] with the stack (R4).
//   - Nothing is started when ctx has already ended, and no goroutine is
//     started at all: the function runs on the goroutine that called
//     [Executor.Run].
//   - The executor never leases capacity (E8).
//
// # Limits
//
//   - A function cannot be ended from outside. When ctx ends it is expected to
//     return; until it does, Run does not return either, and after the grace
//     time the runner names the attempt as still running (R5).
//   - Resources are leased, but nothing holds a function to them: the results
//     name them in Unenforced (E6).
//   - [runtime.Goexit] ends the goroutine that called Run, which therefore never
//     returns. The runner notices and fails the attempt (R4); others that call
//     Run by themselves must expect it.
//   - What cannot be caught ends the program: a panic in a goroutine that the
//     function started, a fatal error of the Go runtime such as concurrent map
//     writes, and os.Exit.
//   - Functions share the working directory and the environment of the
//     program. [Call.Path] and [Call.Getenv] give the job's.
package inproc
