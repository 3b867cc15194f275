package helperproc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Modes are the commands that can be played everywhere:
//
//   - exit CODE: exits with it
//   - args WORD...: prints each word, quoted, on a line of its own
//   - env: prints its environment, sorted, one entry a line
//   - cwd: prints its working directory
//   - cat: copies stdin to stdout
//   - print OUT ERR: prints these words to stdout and stderr
//   - bytes: prints all bytes 0 to 255 to stdout, and 255 to 0 to stderr
//   - flood N: prints N zero bytes to stdout
//   - both N: prints N times "o" to stdout and "e" to stderr, in turn
//   - memory N: touches N bytes of memory
//   - write FILE N: makes a file of N bytes
//   - cpu N: computes until it has used N milliseconds of processor time
//
// and on systems with signals:
//
//   - signal N: sends itself signal N
//   - hang: prints "ready" and waits for ever; signals do as they do
//   - trap: prints "ready", ignores SIGTERM and waits for ever
//   - onterm CODE: prints "ready", waits for SIGTERM, prints "asked", exits
//   - group: prints its process ID, process group and session
//   - spawn HOW MODE WORD...: starts a process that plays MODE, prints its
//     process ID and exits with 0 once that one has printed a line. HOW holds
//     letters: s a session of its own, c a clean environment, o without its
//     outputs, l without the lock that commands of package fork have, w wait for ever in
//     place of exiting, t ignore SIGTERM too
//   - despite CODE MODE WORD...: plays MODE in another process and, however that
//     ends, exits with CODE
//   - bomb N: starts processes that hang until that fails, N at most, and prints how
//     many there are, and why there are no more
//   - gate ADDRESS TEXT CODE: dials ADDRESS by TCP, writes its process ID and a
//     newline there and TEXT to stdout, waits until the other side closes, writes
//     "done" to stdout and exits with CODE
//   - fds: prints the numbers of its open descriptors, on one line
func Modes() map[string]Mode {
	modes := map[string]Mode{
		"exit": func(args []string) (int, error) { return number(args) },
		"args": func(args []string) (int, error) {
			for _, a := range args {
				if err := say("%q\n", a); err != nil {
					return 0, err
				}
			}
			return 0, nil
		},
		"env": func([]string) (int, error) {
			env := os.Environ()
			slices.Sort(env)
			return 0, say("%s\n", strings.Join(env, "\n"))
		},
		"cwd": func([]string) (int, error) {
			dir, err := os.Getwd()
			return 0, errors.Join(err, say("%s\n", dir))
		},
		"cat": func([]string) (int, error) {
			_, err := io.Copy(os.Stdout, os.Stdin)
			return 0, err
		},
		"print":  printBoth,
		"bytes":  allBytes,
		"flood":  flood,
		"both":   both,
		"memory": memory,
		"write":  writeFile,
	}
	addSignals(modes)
	return modes
}

func say(format string, values ...any) error {
	_, err := fmt.Fprintf(os.Stdout, format, values...)
	return err
}

func number(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("a number is missing")
	}
	return strconv.Atoi(args[0])
}

func printBoth(args []string) (int, error) {
	if len(args) != 2 {
		return 0, errors.New("needs two words")
	}
	_, err := os.Stderr.WriteString(args[1])
	return 0, errors.Join(say("%s", args[0]), err)
}

func allBytes([]string) (int, error) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	_, outErr := os.Stdout.Write(all)
	slices.Reverse(all)
	_, errErr := os.Stderr.Write(all)
	return 0, errors.Join(outErr, errErr)
}

func flood(args []string) (int, error) {
	n, err := number(args)
	if err != nil {
		return 0, err
	}
	_, err = io.CopyN(os.Stdout, zeros{}, int64(n))
	return 0, err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func writeFile(args []string) (int, error) {
	if len(args) != 2 {
		return 0, errors.New("needs a file and a number")
	}
	n, err := number(args[1:])
	if err != nil {
		return 0, err
	}
	return 0, os.WriteFile(args[0], make([]byte, n), 0o600)
}

func both(args []string) (int, error) {
	n, err := number(args)
	for i := 0; i < n && err == nil; i++ {
		_, outErr := os.Stdout.WriteString("o")
		_, errErr := os.Stderr.WriteString("e")
		err = errors.Join(outErr, errErr)
	}
	return 0, err
}

func memory(args []string) (int, error) {
	n, err := number(args)
	if err != nil {
		return 0, err
	}
	// What is read back cannot be left out by the compiler.
	all := bytes.Repeat([]byte{1}, n)
	if bytes.IndexByte(all, 0) >= 0 {
		return 0, errors.New("memory does not hold what was written")
	}
	return 0, nil
}
