// Command vm runs tests in a virtual machine that no other machine offers to a test: those
// of limits, since its control groups are of version 2 alone, with all controllers, and
// those that set the clock.
//
//	make test-vm
//
// The machine is emulated by qemu, without a disk or a network, so that it needs no
// permission. It takes two or three minutes.
// On Debian, root gets qemu installed if it is missing. The kernel is that of a package
// of Debian, 30 MB, which is downloaded once and not installed; another one is named
// with -kernel, in which control groups and tmpfs have to be built in.
//
// In the machine the first process is this program too. It runs the tests wherever a
// program may find itself: see places.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	if filepath.Base(os.Args[0]) == "true" {
		return // tests use one
	}
	if os.Getpid() == 1 {
		guest()
		return
	}
	if err := host(); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

// A program is a test binary in the machine.
type program struct {
	name, pkg, run string
	tags           string
	needsLimits    bool   // otherwise no test is skipped where there are none
	place          string // the only one for it; "": all
}

// ofFork are the tests of package fork that control groups have to do with.
const ofFork = "OutOfMemory|Memory|ForkBomb|Cores|NobodyNotices|WhatIsAsked|WholeTree|Unenforced|" +
	"Enforced|EngineKilled|NoGroupsAreLeft|WithoutPermission|NotedGroups|SupervisorKilled"

var programs = []program{
	{name: "cgroup", pkg: "./internal/cgroup", run: "."},
	{name: "fork", pkg: "./executor/fork", run: ofFork, needsLimits: true},
	{name: "clock", pkg: "./executor/remote", run: "Clock", tags: "ownclock", place: "root"},
}

// passed is the last line of a machine in which no test has failed.
const passed = "vm: passed"

func host() error {
	kernel := flag.String("kernel", "", "boot this one, and not that of a package")
	memory := flag.Int("memory", 1024, "of the machine, in MiB")
	only := flag.String("run", "", "only tests that match, of those that are meant")
	where := flag.String("place", "", "only in this place")
	limit := flag.Duration("timeout", 30*time.Minute, "of all of it")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()

	qemu, err := findQemu(ctx)
	if err != nil {
		return err
	}
	if *kernel == "" {
		if *kernel, err = fetchKernel(ctx); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "daggy-vm-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := build(ctx, dir)
	if err != nil {
		return err
	}
	root = append(root, entry{name: "only", mode: regular, data: []byte(*only + "\n" + *where)})
	image := filepath.Join(dir, "initrd")
	if err := writeArchive(image, root); err != nil {
		return err
	}
	var output bytes.Buffer
	machine := exec.CommandContext(ctx, qemu,
		"-accel", "tcg,thread=multi", "-m", fmt.Sprint(*memory), "-smp", "2",
		"-display", "none", "-serial", "stdio", "-monitor", "none", "-net", "none", "-no-reboot",
		"-kernel", *kernel, "-initrd", image, "-append", "console=ttyS0 loglevel=1 panic=-1")
	machine.Stdout = io.MultiWriter(os.Stdout, &output)
	machine.Stderr = os.Stderr
	if err := errors.Join(machine.Run(), context.Cause(ctx)); err != nil {
		return fmt.Errorf("the machine: %w", err)
	}
	if !strings.Contains(output.String(), passed) {
		return errors.New("tests failed, see above")
	}
	return nil
}

// build compiles what runs in the machine, and returns its files.
func build(ctx context.Context, dir string) ([]entry, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/daggy-go/daggy")
	list.Stderr = os.Stderr
	library, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("find the library from internal/integration: %w", err)
	}
	compile := func(in string, args ...string) error {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir, cmd.Stderr = in, os.Stderr
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // no libraries are in the machine
		return cmd.Run()
	}
	files := []entry{
		{name: "bin", mode: directory},
		{name: "bin/true", mode: symlink, data: []byte("/init")},
		{name: "tests", mode: directory},
	}
	for _, name := range []string{"proc", "sys", "dev", "tmp"} {
		files = append(files, entry{name: name, mode: directory})
	}
	add := func(name, path string) error {
		data, err := os.ReadFile(path)
		files = append(files, entry{name: name, mode: executable, data: data})
		return err
	}
	path := filepath.Join(dir, "init")
	err = compile("", "build", "-o", path, "github.com/daggy-go/daggy/internal/integration/vm")
	if err = errors.Join(err, add("init", path)); err != nil {
		return nil, err
	}
	for _, p := range programs {
		path := filepath.Join(dir, p.name)
		err := compile(strings.TrimSpace(string(library)),
			"test", "-c", "-tags", p.tags, "-o", path, p.pkg)
		if err = errors.Join(err, add("tests/"+p.name, path)); err != nil {
			return nil, err
		}
	}
	return files, nil
}
