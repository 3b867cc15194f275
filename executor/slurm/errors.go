package slurm

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/daggy-go/daggy/executor"
)

// A RefusedError says that Slurm does not take a job: its partition does not
// exist, for example, or no node has the memory that it asks for. It is permanent.
type RefusedError struct {
	// Words are Slurm's own.
	Words string
	// Args are the arguments that the job gave to sbatch.
	Args []string
}

// Error has everything in one line.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("slurm: the job was refused: %s (sbatch %s)",
		e.Words, strings.Join(e.Args, " "))
}

// A JobError says that a job came to an end in Slurm without its command having
// had one: somebody cancelled it, for example. The attempt fails, and is retried if
// its task allows that.
type JobError struct {
	// ID is Slurm's, "12" or "12_3". "": not known.
	ID string
	// State is Slurm's word, such as "CANCELLED". "": not known.
	State string
	// Text says what happened, for people.
	Text string
}

// Error has everything in one line.
func (e *JobError) Error() string {
	text := "slurm: job " + e.ID
	if e.ID == "" {
		text = "slurm: its job"
	}
	text += " " + e.Text
	if e.State != "" {
		text += " (" + e.State + ")"
	}
	return text
}

// cannotWrite says that an attempt was not started because its files could not
// be written: later, if that can pass by itself.
func cannotWrite(err error) error {
	err = fmt.Errorf("slurm: what the job needs cannot be written to the shared directory: %w", err)
	for _, passing := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.EAGAIN, syscall.ENOMEM,
		syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.ESTALE, fs.ErrNotExist,
	} {
		if errors.Is(err, passing) {
			return &executor.NotStartedError{Err: err}
		}
	}
	return err
}

// cannotRead says why nothing is known of an attempt.
func cannotRead(err error) string { return "the shared directory cannot be read: " + err.Error() }
