// Package helperproc lets a test binary play the commands that tests of local
// processes run: commands that exit with a code, die of a signal, ignore being
// asked to stop, leave daemons behind, print gigabytes. So tests need no shell
// scripts and nothing but themselves on the machine.
//
//	func TestMain(m *testing.M) {
//		helperproc.Main(nil)
//		goleak.VerifyTestMain(m)
//	}
//
//	job := dag.Command(helperproc.Command("exit", "3")...)
//
// [Modes] lists what can be played.
package helperproc

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// marker is the first argument of a test binary that is to play a command.
const marker = "helperproc-play"

// failed is the exit code of a helper that could not play its part.
const failed = 99

// A Mode plays one command. It gets the words after the name of the mode and
// returns the exit code. An error is printed on stderr, with exit code 99.
type Mode func(args []string) (int, error)

// Main plays a command and ends the process, if this process was started to do
// so, and does nothing otherwise. Call it first in TestMain. More adds modes to
// those of [Modes], or replaces them; it may be nil.
func Main(more map[string]Mode) {
	if len(os.Args) < 3 || os.Args[1] != marker {
		return
	}
	// os.Exit would make every helper of a test under -race wait for a second, in
	// case the detector has something to say.
	syscall.Exit(play(os.Args[2], os.Args[3:], more))
}

func play(name string, args []string, more map[string]Mode) int {
	mode, ok := more[name]
	if !ok {
		mode, ok = Modes()[name]
	}
	if !ok {
		complain(name, "there is no such mode")
		return failed
	}
	code, err := mode(args)
	if err != nil {
		complain(name, err)
		return failed
	}
	return code
}

func complain(name string, what any) {
	// If that fails too, the exit code is left to tell.
	_, _ = fmt.Fprintf(os.Stderr, "helperproc: %s: %v\n", name, what)
}

// Command returns the command that plays a mode with these words.
func Command(mode string, words ...string) []string {
	return slices.Concat([]string{Path(), marker, mode}, words)
}

// Exec is the same for a test that starts it itself. It is killed when ctx ends.
func Exec(ctx context.Context, mode string, words ...string) *exec.Cmd {
	argv := Command(mode, words...)
	return exec.CommandContext(ctx, argv[0], argv[1:]...)
}

// Path is the test binary.
func Path() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}
