package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// guest is the first process of the machine. Whatever happens, it turns it off.
func guest() {
	err := prepare()
	if err == nil {
		err = runEverywhere()
	}
	if err == nil {
		say(passed)
	} else {
		say("vm: failed: %v", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func say(format string, args ...any) { _, _ = fmt.Fprintf(os.Stdout, format+"\n", args...) }

// groups is where control groups are.
const groups = "/sys/fs/cgroup"

// prepare makes of what the kernel has unpacked a system.
func prepare() error {
	for _, m := range []struct{ kind, point string }{
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"tmpfs", "/tmp"},
		{"cgroup2", groups},
	} {
		if err := unix.Mount(m.kind, m.point, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.point, err)
		}
	}
	// Tests keep memory in files there.
	if err := errors.Join(os.Mkdir("/dev/shm", 0o777), os.Chmod("/dev/shm", 0o777),
		os.Chmod("/tmp", 0o777)); err != nil {
		return err
	}
	return loopback()
}

// loopback lets tests listen.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// runEverywhere runs all tests in all places.
func runEverywhere() error {
	text, err := os.ReadFile("/only")
	if err != nil {
		return err
	}
	only, where, _ := strings.Cut(string(text), "\n")
	for _, p := range places {
		if where != "" && p.name != where {
			continue
		}
		if e := p.run(only); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, e))
		}
	}
	return err
}

// run runs all tests in a place.
func (p *place) run(only string) error {
	say("vm: in %s", p.name)
	dir, err := p.make()
	if err != nil {
		return err
	}
	defer p.remove()
	for _, program := range programs {
		if program.place != "" && program.place != p.name {
			continue
		}
		began := time.Now()
		output, code, e := p.play(dir, program, only)
		if e == nil {
			e = p.judge(program, output, code)
		}
		if e == nil && only == "" && !strings.Contains(output, "--- PASS") {
			e = errors.New("there were no tests")
		}
		for line := range strings.Lines(output) {
			if e != nil || strings.HasPrefix(line, "--- ") {
				say("%s", strings.TrimRight(line, "\n"))
			}
		}
		say("vm: %s in %s: %.1f s", program.name, p.name, time.Since(began).Seconds())
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", program.name, e))
		}
		if left := p.left(dir); left != "" {
			err = errors.Join(err, fmt.Errorf("%s has left %s", program.name, left))
		}
	}
	return err
}

// longest is what a test binary may take. Each takes a few seconds where nothing else runs.
const longest = 4 * time.Minute

// play runs a test binary to its end, as the child of the first process, which others
// are given to that have lost their parents.
func (p *place) play(dir string, program program, only string) (string, int, error) {
	out, err := os.Create("/tmp/output")
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = out.Close() }()
	in, err := os.Open(dir)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = in.Close() }()
	argv := []string{
		"/tests/" + program.name, "-test.v", "-test.timeout=3m", "-test.run=" + program.run,
	}
	if only != "" {
		argv[3] = "-test.run=" + only
	}
	attr := &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(in.Fd()), Setsid: true}
	if p.user != 0 {
		attr.Credential = &syscall.Credential{Uid: uint32(p.user), Gid: uint32(p.user)}
	}
	pid, err := syscall.ForkExec(argv[0], argv, &syscall.ProcAttr{
		Dir:   "/tmp",
		Env:   []string{"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp"},
		Files: []uintptr{0, out.Fd(), out.Fd()},
		Sys:   attr,
	})
	if err != nil {
		return "", 0, fmt.Errorf("start: %w", err)
	}
	// The time limit of tests does not hold for what comes before and after them.
	late := time.AfterFunc(longest, func() { _ = unix.Kill(pid, unix.SIGQUIT) })
	defer late.Stop()
	code, err := reap(pid)
	output, readErr := os.ReadFile(out.Name())
	return string(output), code, errors.Join(err, readErr)
}

// reap waits for a child, and for whatever else ends meanwhile.
func reap(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		ended, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case ended == pid && status.Signaled():
			return 0, fmt.Errorf("it was ended by %v", status.Signal())
		case ended == pid:
			return status.ExitStatus(), nil
		}
	}
}

// judge says what is wrong with what a test binary has printed.
func (p *place) judge(program program, output string, code int) error {
	if code != 0 {
		return fmt.Errorf("exit code %d", code)
	}
	if !p.limits && program.needsLimits {
		return nil
	}
	for line := range strings.Lines(output) {
		name, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "--- SKIP: ")
		name, _, _ = strings.Cut(name, " ")
		if ok && name != p.skips {
			return fmt.Errorf("%s was skipped, as though nothing were possible", name)
		}
	}
	return nil
}

// left returns groups that somebody has made and not removed.
func (p *place) left(dir string) string {
	var found bytes.Buffer
	for _, at := range []string{dir, filepath.Dir(dir)} {
		if _, err := os.Stat(at + "/daggy"); err == nil {
			_ = filepath.WalkDir(at+"/daggy", func(path string, d os.DirEntry, err error) error {
				if err == nil && d.IsDir() {
					_, _ = fmt.Fprintln(&found, path)
				}
				return nil
			})
		}
	}
	return found.String()
}
