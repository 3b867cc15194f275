package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

const qemuProgram = "qemu-system-x86_64"

// findQemu returns the path of the emulator, and installs it if there is none.
func findQemu(ctx context.Context) (string, error) {
	found, err := exec.LookPath(qemuProgram)
	if err == nil {
		return found, nil
	}
	apt, noApt := exec.LookPath("apt-get")
	if os.Getuid() != 0 || noApt != nil {
		return "", fmt.Errorf("there is no %s; on Debian: sudo apt-get install qemu-system-x86",
			qemuProgram)
	}
	for _, args := range [][]string{
		{"update", "-qq"},
		{"install", "-qq", "-y", "--no-install-recommends", "qemu-system-x86"},
	} {
		cmd := exec.CommandContext(ctx, apt, args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("apt-get %q: %w: %s", args, err, out)
		}
	}
	return exec.LookPath(qemuProgram)
}

// fetchKernel returns the path of a kernel, which is kept for the next time.
func fetchKernel(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "daggy-vm")
	kept := filepath.Join(dir, "vmlinuz")
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	download, err := os.MkdirTemp(dir, "package-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(download) }()
	if err := downloadKernel(ctx, download, kept); err != nil {
		return "", fmt.Errorf("download a kernel (or name one with -kernel): %w", err)
	}
	return kept, nil
}

// downloadKernel writes the kernel of a package to a file.
func downloadKernel(ctx context.Context, dir, file string) error {
	depends, err := exec.CommandContext(ctx, "apt-cache", "depends", "--important",
		"linux-image-cloud-amd64").Output()
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(string(depends), "Depends: ")
	words := strings.Fields(rest)
	if !ok || len(words) == 0 {
		return fmt.Errorf("apt-cache knows no kernel: %q", depends)
	}
	get := exec.CommandContext(ctx, "apt-get", "download", "-qq", words[0])
	get.Dir = dir
	if out, err := get.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get download %s: %w: %s", words[0], err, out)
	}
	packages, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(packages) != 1 {
		return errors.Join(err, fmt.Errorf("apt-get has downloaded %q", packages))
	}
	unpack := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", packages[0])
	unpacked, err := unpack.StdoutPipe()
	if err != nil {
		return err
	}
	if err := unpack.Start(); err != nil {
		return err
	}
	part := filepath.Join(dir, "vmlinuz")
	err = extractKernel(unpacked, part)
	_, rubbish := io.Copy(io.Discard, unpacked) // or dpkg-deb complains
	if err := errors.Join(err, rubbish, unpack.Wait()); err != nil {
		return err
	}
	return os.Rename(part, file)
}

func extractKernel(archive io.Reader, file string) error {
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if err != nil {
			return fmt.Errorf("find the kernel in its package: %w", err)
		}
		if ok, _ := path.Match("boot/vmlinuz-*", path.Clean(header.Name)); !ok {
			continue
		}
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	}
}
