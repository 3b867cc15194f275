package helperproc_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/helperproc"
)

func TestMain(m *testing.M) {
	helperproc.Main(map[string]helperproc.Mode{
		"own":    func(args []string) (int, error) { return len(args), nil },
		"broken": func([]string) (int, error) { return 0, errors.New("on purpose") },
	})
	os.Exit(m.Run())
}

func TestMainPlays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode           string
		words          []string
		code           int
		stdout, stderr string
	}{
		"exit":         {"exit", []string{"7"}, 7, "", ""},
		"args":         {"args", []string{"a b", ""}, 0, "\"a b\"\n\"\"\n", ""},
		"print":        {"print", []string{"out", "err"}, 0, "out", "err"},
		"both":         {"both", []string{"3"}, 0, "ooo", "eee"},
		"flood":        {"flood", []string{"2"}, 0, "\x00\x00", ""},
		"cat":          {"cat", nil, 0, "", ""},
		"memory":       {"memory", []string{"1000"}, 0, "", ""},
		"one of tests": {"own", []string{"a", "b"}, 2, "", ""},
		"an error":     {"broken", nil, 99, "", "helperproc: broken: on purpose\n"},
		"no such":      {"none", nil, 99, "", "helperproc: none: there is no such mode\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := helperproc.Exec(t.Context(), c.mode, c.words...)
			stdout, err := command.Output()
			stderr := ""
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				stderr = string(exit.Stderr)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, c.code, command.ProcessState.ExitCode())
			require.Equal(t, c.stdout, string(stdout))
			if c.code != 0 {
				require.Equal(t, c.stderr, stderr)
			}
		})
	}
}
