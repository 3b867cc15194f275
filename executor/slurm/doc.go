// Package slurm runs the commands of tasks as jobs of a Slurm cluster, through
// Slurm's own commands.
//
//	r := runner.Runner{Executor: slurm.New(slurm.Config{Dir: "/shared/me/daggy"})}
//	report, err := r.Run(ctx, d)
//
// # What a site needs
//
//   - A machine that can submit: sbatch, squeue, scancel and scontrol in PATH, of
//     Slurm 20.11 or later. sacct is asked where there is accounting.
//   - Nodes with bash 4.2 or later, env, ln, mv, sleep and grep.
//   - A directory that this machine and all nodes have at the same path, with hard
//     links: [Config.Dir]. It may be on NFS. [Executor.Validate] tries it.
//   - Clocks that agree to a few minutes. Nothing but the times in results depends on
//     them.
//
// # What a command gets
//
//   - Its words as they are: no shell, no expansion (S4). The script that every job
//     runs is the same text; what differs is data in a file.
//   - The environment of its job, DAGGY_RUN, DAGGY_TASK, DAGGY_ATTEMPT and
//     DAGGY_KEY, the variables of this process that [Config] names, and what Slurm
//     sets for every job, SLURM_JOB_ID for example. Of the rest of this process's
//     environment only what Slurm's commands need: PATH, HOME, USER, LOGNAME, SHELL,
//     TZ, SLURM_CONF and SLURM_CLUSTERS, and the account, partition, QOS, constraint,
//     reservation and wckey that SBATCH_ variables name (S3).
//   - Job.WorkDir, or the working directory of this process. If that cannot be
//     entered the attempt fails.
//   - No standard input, and a process group of its own.
//   - The resources that it asks for: "cores" are --cpus-per-task, "memoryMB" --mem
//     for each node, "gpus" a gres. What the cluster does not hold it to is in
//     Result.Unenforced.
//
// # Options
//
// Members of a job, of a pool and of [Config] that reach Slurm as they are, the
// numbers also as strings: minCPUs, minMemoryMB, minTmpDiskMB, priority, nice,
// partition, account, qos, constraint, reservation, licenses, gres, nodes, tasks,
// exclusive (true or a text), and extraArgs, a list of further arguments of
// sbatch, each "--name" or "--name=value". A job that asks for cores, memoryMB
// or gpus as resources asks for those, and a minimum of 0 asks for nothing.
//
// userID has the job run by another user, which takes root. HOME, USER and LOGNAME are
// those that this machine knows of that user. tmpDir is where the
// job's output goes, instead of Dir: each attempt has a file KEY.stdout and one
// KEY.stderr there, which only who runs it can read. If this machine cannot read them
// the result counts all the same, and its Message says where they are.
//
// # What it gives
//
//   - Exit code or signal, times, node, and the processor time of what the script
//     waited for. A shell cannot tell a command that exits with 128 and the number of
//     a signal from one that was ended by it: both are the latter.
//   - Output byte for byte (E6), at every listing of the queue and in the end. One
//     writer for both outputs gets both in order. What is written to [io.Discard] is
//     not kept.
//   - A command of which a process was killed for want of memory has failed with the
//     cause "memory", also if it exits with 0 then. Where Slurm makes no control
//     groups for jobs the process has to be the command itself.
//   - Why an attempt waits: Slurm's reason for a pending job, the limit of this
//     package, or that Slurm does not answer.
//
// # How it is known how a job ended
//
// The script writes a report when the command has ended, whole or not at all. A
// success takes a report. Without one the listing of the queue counts, and then
// accounting; and there only what they say, never their silence: a command of
// Slurm's that fails says nothing, a state that is not known means nothing, and a
// job that is missing from good listings for [Config.Missing] is lost. What Slurm
// ended for the cluster's sake (NODE_FAIL, PREEMPTED, BOOT_FAIL, a requeue) is lost
// and tried again without costing the task a retry; what somebody cancelled has
// failed.
//
// # Once
//
// A submission that failed may have succeeded: sbatch gives up after ten seconds
// and the job runs all the same. So the name of a job, which is the attempt's key
// or leads to it, is looked up; and the key is claimed, by a link in the shared
// directory, before a command starts. Who makes the link first has it for ever: a
// job, or an engine that wants it never to start. A second job for the same key
// finds it taken and does nothing. The ID of a job is never trusted alone, since a
// controller that crashed hands it out again. Two copies run only if Slurm says of
// a node that it is down while processes on it go on.
//
// # What is asked of the controller
//
//   - One squeue for each [Config.Interval], for all jobs together, and none while
//     there are none. While it fails it is asked less and less, down to a tenth of
//     that.
//   - One sbatch for each task, or for [Config.ArraySize] of its instances: those
//     that come within [Config.ArrayWait] of each other, or while others are being
//     submitted, and ask for the same are an array. At most three at the same time,
//     [Config.SubmitRate] in a second, and [Config.MaxQueued] jobs in the queue. An
//     array that is too large for a limit of Slurm's is submitted in smaller ones.
//   - One scancel for up to 500 jobs that are stopped at about the same time.
//   - One "scontrol show config" in the beginning.
//
// When it is down, jobs that run go on, and their reports are read: on the machine
// where they run at once, else at the next interval. What waits to be submitted
// waits, and says so. Nothing fails for it. A controller that is killed forgets
// what it has not saved and hands out those IDs again, which is reckoned with, but
// its own slurmd do not: when they report the end of a job that it has forgotten,
// the controller may end another that has the ID by now. Such a job was cancelled,
// as far as Slurm says, and that is a failure, which MaxRetries may repeat.
//
// # Stopping
//
// When ctx ends, a key that no job has is closed and its job cancelled, also while
// it is pending. A job that has it gets SIGTERM by its script, which ends what is
// left of the command's process group after the grace time, and what it knows by
// DAGGY_KEY in its environment; Slurm ends the rest with the job. While the
// controller is down nothing can be stopped, and Run waits. [executor.ErrDetach]
// leaves jobs alone, running or pending.
//
// An attempt that was submitted, as its log says, and of which Dir knows nothing
// waits until Dir does: it may be that the file system is not mounted, or that Dir
// is another one, and starting it again would make two of it.
//
// Time limits are kept by the script, to the second; Slurm's own (--time) is the grace
// time and up to two minutes later, and lets the scheduler plan. It has to be within
// what the partition allows.
//
// # Limits
//
//   - Slurm is believed when it says that a node is dead.
//   - The command and its environment are in Dir, readable by who runs the job, until
//     the outcome is recorded.
//   - A report that a file server lost in a power cut is a lost attempt, which runs
//     again.
//   - "sbatch --export=NIL" would keep the environment smaller, but Slurm 22.05
//     then makes a login shell for every job, one after the other: 1.7 s each. So
//     sbatch is run in a small environment, which the jobs inherit. A [Commands] of
//     your own should do so too.
//   - A pool without an allocator runs 1024 attempts at a time unless
//     runner.Runner.MaxRunning says otherwise, and so do no more wait in the queue.
//   - For each key of a run a small file remains in Dir, so that it never starts
//     again. Once no run needs Dir it may be removed.
//
// FORMAT.md beside this file says what is in the directory.
package slurm
