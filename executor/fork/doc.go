// Package fork runs the commands of tasks as processes of this machine.
//
//	r := runner.Runner{Executor: fork.New(fork.Config{Grace: time.Minute})}
//	report, err := r.Run(ctx, &dag.DAG{Tasks: []dag.Task{
//		{Name: "hello", Job: dag.Command("echo", "hello")},
//	}})
//
// It runs on linux and darwin. Elsewhere [Executor.Validate] and [Executor.Run]
// say in their errors that it does not: there are no process groups, so that a
// command could be stopped while what it started went on.
//
// # What a command gets
//
//   - Its words as they are: no shell, no expansion (S4). The first is looked up
//     in the PATH of the command's own environment, in absolute directories only;
//     with a slash in it, it is a file relative to the working directory.
//   - The environment of its job, DAGGY_RUN, DAGGY_TASK, DAGGY_ATTEMPT and
//     DAGGY_KEY, and the variables of this process that [Config] names, the job's
//     winning (S3).
//   - Job.WorkDir, or the working directory of this process.
//   - No standard input: it is at its end at once.
//   - A process group of its own, control groups of its own where this process may
//     make some, and no descriptor that this process opened but a lock, if it may
//     outlive the engine.
//
// # What it gives
//
//   - Exit code or signal, processor time, and the largest resident set, all of
//     that attempt alone, with those of its descendants that were waited for. On
//     Linux the last is never less than the peak of this process when the command
//     was started, since the kernel counts what both share for a moment.
//   - Its output, byte for byte and as it comes (E6). An [os.File] is handed to
//     the command as it is, unless that may outlive the engine; [io.Discard]
//     costs nothing; any other writer gets what is read from a pipe, at most 64 KiB
//     at a time. One writer for both outputs gets both in the order in which they
//     were written. A writer that fails is not called again, and the attempt fails
//     unless it did so by itself. A writer that blocks holds up the command, and
//     in the end Run.
//   - What it is not held to of the resources that it asked for, in
//     Result.Unenforced.
//
// # Limits
//
// On Linux a command and all that it starts are held to what its job asks for (E6),
// by control groups of version 2 or 1, as far as whoever started this process lets
// it make some. [Limits] says what becomes of the rest.
//
//   - dag.MemoryMB: memory, with swap and files in memory. If there is no more, the
//     kernel kills, in version 2 all of the attempt, in version 1 the process that it
//     chooses. If the command does not succeed then, the result has the cause "memory",
//     and MaxRSS is the most that all had together. Less than 4 MB is 4.
//   - dag.Cores: so much processor time. All cores of this machine take no limit.
//   - [Pids], a name for Job.Resources: processes and threads. [DefaultPids] for jobs
//     that ask for memory or cores and not for these.
//   - Other resources are leased and not enforced.
//
// For all of it, version 2 takes that this process is in a group below one that it was
// given: with systemd, a unit with Delegate=yes and DelegateSubgroup=engine. Version 1
// takes permission to make directories in the groups of this process, as root has. A
// command that has the same permission can get out.
//
// # How it ends
//
//   - When the command exits, what is left in its process group is killed. If
//     its output is still open then, another process holds it: output is awaited
//     for [Config.WaitDelay], and the holder is killed. Then everything else in its
//     control group is killed, wherever it went and whatever it holds.
//   - When ctx ends, the group gets SIGTERM, all of it has the grace time to end,
//     and is then killed (E2). Processes that left the group get SIGKILL then.
//     Whether or not that helps, Run returns a second after the grace time at the
//     latest, provided the command itself is dead: while the kernel cannot end
//     it, as with a file server that is gone, Run waits (E1).
//   - Without control groups, processes outside the process group are known by
//     DAGGY_KEY in the environment that they started with. One that dropped it
//     lives on; it is named in Result.Left if it holds the output. So does one that
//     was started by another service on the command's behalf, in any case. On
//     darwin none can be found, and Left says only that there is one. After a
//     normal exit with no output held, nobody looks for any.
//   - The error is nil if the command ran: an attempt that was stopped has the
//     result of its command, which is a success if that exited with 0. After
//     [executor.ErrTimeLimit] any other result has the cause "time".
//   - Without [Config.Dir] processes do not outlive the engine on purpose: the
//     executor is not durable, so [executor.ErrDetach] stops them too. If the
//     engine itself is killed, they are not; but what is in control groups is killed
//     by the next program that uses this package in the same place.
//
// # Commands that outlive the engine
//
// With [Config.Dir] the executor is durable (E5), on Linux. Commands then belong
// to a supervisor, of which there is one for each directory: it goes on when
// the engine is killed, enforces time limits (E7), and reports to any
// executor with the same directory that asks for the key. It ends by itself
// when nothing runs, nobody is connected, and every outcome could be written.
//
//		ex := fork.New(fork.Config{Dir: "/var/lib/myprogram"})
//
//	  - The supervisor is this very program, started again in a session of its
//	    own. The initialisation of this package recognises that and never returns,
//	    so that main is not called. Initialisation that comes before it, which is that
//	    of packages whose paths sort earlier and of what they import, takes place in
//	    the supervisor too: it should not print or open things. Commands never
//	    get what makes a supervisor of a process.
//	  - Each key is claimed in a journal before it is started, and never starts
//	    again. Each command inherits, as descriptor 61, a lock that proves that
//	    something of it lives; no process ID is ever trusted. What has it when
//	    the command has exited is killed, even if it holds no output.
//	  - If the supervisor itself is killed, the next one asks what it finds of the
//	    commands to stop (SIGTERM), kills it after their grace time, and only then
//	    says that they are lost. It finds what has the lock, or DAGGY_KEY in its
//	    environment, or is the process that was started (that on Linux 6.9 and
//	    later), and everything in the control groups. Without those, a process that
//	    has rid itself of all of these is not found.
//	  - Both outputs are kept until [Executor.Forget], those of more than 16 KiB in
//	    files, so a gigabyte takes a gigabyte of disk. They are kept from the first
//	    byte, and handed on as they come; no file is handed to the command itself.
//	    What was started with [io.Discard] has no output, also for later engines.
//	  - Nothing is synced. After a power cut, what was running is lost
//	    ([executor.LostError]); what had ended without being recorded elsewhere, and
//	    is not on the disk, is run again.
//	  - The directory is for one user and one machine. Commands have the limits,
//	    the priority and the umask of the engine that started the supervisor, and are
//	    below its control groups. A service manager that kills the whole group of a service kills
//	    its commands: with systemd, set KillMode=process.
//	  - Environments of commands are sent to the supervisor and never written down.
//	  - It grows with the keys that are not forgotten; of forgotten ones a few bytes
//	    for each task remain. Once no run needs the directory it may be removed.
//
// FORMAT.md beside this file says what is in the directory.
//
// # Errors
//
// Want of descriptors, processes or memory, or of room for the journal of a supervisor,
// and a program file that somebody holds open for writing, is an
// [executor.NotStartedError] (E4). A command that
// cannot be executed is a [CommandError]; it is not permanent, as file systems
// come and go, and costs one of the task's retries. What no repetition mends (no
// command, too many arguments, zero bytes, unknown options) is permanent.
//
// # Cost
//
// On Linux an attempt takes no goroutine but the caller's, a descriptor and one
// for each piped output. The first 256 commands at a time have a thread of this
// process each, which is the quickest; any more are watched by the Go runtime's
// poller, for one more descriptor and a few percent of the rate. Where there are
// no process descriptors (kernels before 5.3, darwin), each command has a thread
// and up to three goroutines. Go ends a program that needs 10,000 threads, so
// keep below that there.
//
// A control group takes a few percent of the processor time of starting a process, and
// limits of version 1 up to a quarter. Groups are used again by commands with the same
// limits, and removed a moment after the last one; those of a program that ends before
// that are removed by the next. They keep up to eight descriptors each, in all a quarter
// of those that this process may have.
package fork
