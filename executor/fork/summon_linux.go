package fork

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/daggy-go/daggy/executor"
)

// A supervisor is this very program, started again. It is known by its first
// argument and by a variable, both of which it has to have: neither an argument
// that a user gives nor a variable that a command inherits makes one.
const (
	summonWord     = "daggy-fork-supervisor"
	summonVariable = "DAGGY_FORK_SUPERVISOR"
	stageLaunch    = "launch" // start the supervisor and exit
	stageServe     = "serve"
)

// init turns this process into a supervisor if it was started to be one, so that
// programs need not do anything for it. Whatever was initialised before this
// package was initialised in the supervisor too; main is never called.
func init() {
	if len(os.Args) != 3 || os.Args[1] != summonWord {
		return
	}
	stage := os.Getenv(summonVariable)
	// Commands do not get it: their environment comes from the engine.
	_ = os.Unsetenv(summonVariable)
	state := os.Args[2]
	// os.Exit would make programs with the race detector wait for a second.
	switch stage {
	case stageLaunch:
		syscall.Exit(launch(state))
	case stageServe:
		syscall.Exit(serve(state))
	}
}

// Descriptors of a process that is to become a supervisor.
const (
	noticeDescriptor = 2
	readyDescriptor  = 3
)

// What a supervisor says once, when it has begun. An error is said as it is, after a word
// if another may begin later.
const (
	sayReady = "ready"
	sayBusy  = "busy"
	sayLater = "later: "
)

// comesBack is scarce for what a supervisor begins with, which is room on the disk too.
func comesBack(err error) bool {
	return scarce(err) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

// summon starts a supervisor of a directory and returns when it is there, or
// another one is.
func summon(ctx context.Context, state string) error {
	message, err := summoned(ctx, state)
	if err != nil {
		err = fmt.Errorf("start the supervisor of %s: %w", state, err)
		if comesBack(err) {
			return &executor.NotStartedError{Err: err}
		}
		return err
	}
	message, later := strings.CutPrefix(message, sayLater)
	switch message {
	case sayReady, sayBusy:
		return nil
	case "":
		return fmt.Errorf("the supervisor of %s has ended at once: %s", state, lastNotice(state))
	}
	err = fmt.Errorf("the supervisor of %s: %s", state, message)
	if later {
		return &executor.NotStartedError{Err: err}
	}
	return err
}

// summoned returns what the supervisor says.
func summoned(ctx context.Context, state string) (string, error) {
	notices, err := openNotices(state)
	if err != nil {
		return "", err
	}
	defer func() { _ = notices.Close() }()
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	err = startStage(stageLaunch, state, notices.Fd(), w.Fd())
	_ = w.Close()
	if err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = r.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	message, err := io.ReadAll(io.LimitReader(r, 4<<10))
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return strings.TrimSpace(string(message)), err
}

// startStage executes this program again. Launching is waited for; the supervisor
// itself is then nobody's child, so that no one need wait for it.
func startStage(stage, state string, notices, ready uintptr) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = null.Close() }()
	pid, err := syscall.ForkExec("/proc/self/exe", []string{os.Args[0], summonWord, state},
		&syscall.ProcAttr{
			Dir:   "/",
			Env:   append(stageEnviron(), summonVariable+"="+stage),
			Files: []uintptr{null.Fd(), null.Fd(), notices, ready},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
	if err != nil || stage == stageServe {
		return err
	}
	var status unix.WaitStatus
	for {
		_, err = unix.Wait4(pid, &status, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil && status != 0 {
		err = fmt.Errorf("it could not be launched: status %d: %s", status, lastNotice(state))
	}
	return err
}

// stageEnviron is the environment of this process without what says which attempt
// it belongs to: a supervisor belongs to none.
func stageEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "DAGGY_")
	})
}

// launch starts the supervisor in a process that ends at once. Nothing that this
// process has inherited is handed on.
func launch(state string) int {
	const first = readyDescriptor + 1
	if err := unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		complain(err)
	}
	if err := startStage(stageServe, state, noticeDescriptor, readyDescriptor); err != nil {
		complain(err)
		return 1
	}
	return 0
}

// complain leaves a notice for whoever looks.
func complain(err error) {
	_, _ = fmt.Fprintf(os.Stderr, "%s supervisor %d: %v\n",
		time.Now().UTC().Format(time.RFC3339), os.Getpid(), err)
}

// maxNotices is the size at which old notices are dropped.
const maxNotices = 1 << 20

// openNotices opens the file in which a supervisor leaves its notices.
func openNotices(state string) (*os.File, error) {
	path := filepath.Join(state, noticeName)
	flags := os.O_RDWR | os.O_CREATE | os.O_APPEND
	if info, err := os.Stat(path); err == nil && info.Size() > maxNotices {
		flags |= os.O_TRUNC
	}
	return os.OpenFile(path, flags, 0o600)
}

// lastNotice returns the last line of the notices.
func lastNotice(state string) string {
	text, err := os.ReadFile(filepath.Join(state, noticeName))
	lines := bytes.Split(bytes.TrimSpace(text), []byte{'\n'})
	if last := lines[len(lines)-1]; err == nil && len(last) > 0 {
		return string(last)
	}
	return "it left no notice"
}
