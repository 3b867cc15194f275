//go:build linux || darwin

package helperproc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func addSignals(modes map[string]Mode) {
	modes["cpu"] = burn
	modes["signal"] = func(args []string) (int, error) {
		n, err := number(args)
		if err != nil {
			return 0, err
		}
		if err := syscall.Kill(os.Getpid(), syscall.Signal(n)); err != nil {
			return 0, err
		}
		select {} // until it is delivered
	}
	modes["hang"] = hang
	modes["trap"] = func([]string) (int, error) {
		signal.Ignore(unix.SIGTERM)
		return hang(nil)
	}
	modes["onterm"] = onTerm
	modes["group"] = func([]string) (int, error) {
		session, err := unix.Getsid(0)
		return 0, errors.Join(err, say("%d %d %d\n", os.Getpid(), syscall.Getpgrp(), session))
	}
	modes["spawn"] = spawn
	modes["gate"] = gate
	modes["fds"] = descriptors
	modes["bomb"] = bomb
	modes["despite"] = despite
}

// announce is set for a process that tells the one that spawned it that it is
// ready, on descriptor 3.
const announce = "HELPERPROC_ANNOUNCE=1"

// ready says that the process does what it is there for.
func ready() error {
	return errors.Join(say("ready\n"), announceReady())
}

// announceReady tells the process that spawned this one.
func announceReady() error {
	if !slices.Contains(os.Environ(), announce) {
		return nil
	}
	pipe := os.NewFile(3, "announce")
	_, err := pipe.WriteString("ready\n")
	return errors.Join(err, pipe.Close())
}

// hang waits for ever. The timer keeps the runtime from calling it a deadlock.
func hang([]string) (int, error) {
	if err := ready(); err != nil {
		return 0, err
	}
	const long = 1000 * time.Hour
	<-time.After(long)
	return 0, nil
}

func onTerm(args []string) (int, error) {
	code, err := number(args)
	if err != nil {
		return 0, err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGTERM)
	if err := ready(); err != nil {
		return 0, err
	}
	<-asked
	return code, say("asked\n")
}

func burn(args []string) (int, error) {
	ms, err := number(args)
	if err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		if n%(1<<16) != 0 {
			continue
		}
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return 0, err
		}
		if usage.Utime.Nano() >= int64(ms)*int64(time.Millisecond) {
			return 0, nil
		}
	}
}

func gate(args []string) (int, error) {
	if len(args) != 3 {
		return 0, errors.New("needs an address, a text and a number")
	}
	code, err := number(args[2:])
	if err != nil {
		return 0, err
	}
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintln(conn, os.Getpid()); err != nil {
		return 0, err
	}
	if err := say("%s", args[1]); err != nil {
		return 0, err
	}
	if err := announceReady(); err != nil {
		return 0, err
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return 0, err
	}
	return code, say("done")
}

// spawn starts a process and waits until it says that it is ready.
func spawn(args []string) (int, error) {
	if len(args) < 2 {
		return 0, errors.New("needs letters and a mode")
	}
	how := args[0]
	if strings.Contains(how, "t") {
		signal.Ignore(unix.SIGTERM)
	}
	pid, err := start(how, Command(args[1], args[2:]...))
	if err != nil {
		return 0, err
	}
	if err := say("%d\n", pid); err != nil {
		return 0, err
	}
	if strings.Contains(how, "w") {
		return hang(nil)
	}
	return 0, nil
}

// lockDescriptor is the one that commands of package fork inherit.
const lockDescriptor = 61

func start(how string, command []string) (pid int, err error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	files := []*os.File{null, os.Stdout, os.Stderr, writer}
	if strings.Contains(how, "o") {
		files[1], files[2] = null, null
	}
	if strings.Contains(how, "l") {
		unix.CloseOnExec(lockDescriptor)
	}
	var env []string
	if !strings.Contains(how, "c") {
		env = os.Environ()
	}
	child, err := os.StartProcess(command[0], command, &os.ProcAttr{
		Env:   append(env, announce),
		Files: files,
		Sys:   &syscall.SysProcAttr{Setsid: strings.Contains(how, "s")},
	})
	if err := errors.Join(err, writer.Close()); err != nil {
		return 0, err
	}
	if _, err := bufio.NewReader(reader).ReadString('\n'); err != nil {
		return 0, fmt.Errorf("the spawned process is not ready: %w", err)
	}
	return child.Pid, nil
}

func despite(args []string) (int, error) {
	if len(args) < 2 {
		return 0, errors.New("needs a number and a mode")
	}
	command := Command(args[1], args[2:]...)
	child, err := os.StartProcess(command[0], command, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		return 0, err
	}
	if _, err := child.Wait(); err != nil {
		return 0, err
	}
	return number(args)
}

// bomb starts processes until that fails.
func bomb(args []string) (int, error) {
	most, err := number(args)
	if err != nil {
		return 0, err
	}
	n := 0
	for ; n < most; n++ {
		if _, err = start("so", Command("hang")); err != nil {
			break
		}
	}
	return 0, say("%d %v\n", n, err)
}

func descriptors([]string) (int, error) {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0, err
	}
	var open []int
	for _, entry := range entries {
		fd, err := strconv.Atoi(entry.Name())
		if err != nil {
			return 0, err
		}
		if inherited(fd) {
			open = append(open, fd)
		}
	}
	slices.Sort(open)
	return 0, say("%v\n", open)
}

// inherited reports whether a descriptor was open when the process began: all
// that Go opens is closed on exec, and what came through exec is not.
func inherited(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}
