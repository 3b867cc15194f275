// Package examples_test holds the README to its word: its Go is compiled and
// run here, its JSON is read, its commands exist.
package examples_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner"
	"github.com/daggy-go/daggy/runner/runnertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	if err := inAProgram(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// fetch completed: 3 files
	// count completed: 12 lines
	// mail completed: sent
}

func inAProgram(ctx context.Context) error {
	d := &dag.DAG{Tasks: []dag.Task{
		{Name: "fetch", Job: dag.Command("echo", "3 files")},
		{Name: "count", Job: dag.Command("echo", "12 lines"), Parents: []string{"fetch"}},
		{Name: "mail", Job: dag.Command("echo", "sent"), Parents: []string{"count"}, MaxRetries: 3},
	}}
	report, err := runner.Run(ctx, d)
	if err != nil {
		return err // it names every task that failed
	}
	for t := range report.Tasks() {
		stdout, _ := t.Stdout()
		fmt.Printf("%s %s: %s", t.Name, t.State, stdout)
	}
	return nil
}

func nightly() *dag.DAG {
	return &dag.DAG{Tasks: []dag.Task{
		{Name: "pull", Job: dag.Command("pull"), MaxRetries: 5, RetryInterval: time.Hour},
		{Name: "report", Job: dag.Command("report"), Parents: []string{"pull"}},
	}}
}

func TestPipelineOfTheREADME(t *testing.T) {
	t.Parallel()
	result := runnertest.Run(t, nightly(), runnertest.Config{Funcs: inproc.Funcs{
		"pull":   runnertest.FailFirst(2, runnertest.Print("21.5")),
		"report": runnertest.Print("mailed"),
	}})
	result.RequireCompleted(t)
	result.RequireAttempts(t, "pull", 3)
	result.RequireOrder(t, "pull", "report")
	require.Equal(t, 2*time.Hour, result.Elapsed)
}

// Every piece of Go in the README is found as it is in a file that compiles.
func TestGoOfTheREADME(t *testing.T) {
	t.Parallel()
	var sources []string
	for _, root := range []string{".", "../executor"} {
		err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(name) != ".go" {
				return err
			}
			source, err := os.ReadFile(name)
			sources = append(sources, squeeze(string(source)))
			return err
		})
		require.NoError(t, err)
	}
	code := blocks(t, "go")
	require.Len(t, code, 6)
	for _, block := range code {
		require.Condition(t, func() bool {
			for _, source := range sources {
				if strings.Contains(source, squeeze(block)) {
					return true
				}
			}
			return false
		}, "in no file:\n%s", block)
	}
}

func TestJSONOfTheREADME(t *testing.T) {
	t.Parallel()
	code := blocks(t, "json")
	require.Len(t, code, 2)
	d, err := dag.Parse([]byte(code[0]))
	require.NoError(t, err)
	require.NoError(t, expand.Validate(d))
	file, err := os.ReadFile("run/testdata/dates.json")
	require.NoError(t, err)
	require.Equal(t, string(file), code[0], "the README says what this file holds")
	tasks, err := dag.ParseTasks([]byte(code[1]))
	require.NoError(t, err)
	require.Len(t, tasks, 2)
}

// Commands and links of the README lead somewhere.
func TestPathsOfTheREADME(t *testing.T) {
	t.Parallel()
	readme := readme(t)
	paths := regexp.MustCompile(`\]\(([^)]+)\)|(\./examples/\w+|examples/[\w./]+\.json)`)
	found := paths.FindAllStringSubmatch(readme, -1)
	require.NotEmpty(t, found)
	for _, match := range found {
		name := match[1] + match[2]
		_, err := os.Stat(filepath.Join("..", filepath.FromSlash(name)))
		require.NoError(t, err)
	}
}

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	return string(text)
}

// blocks returns the fenced blocks of a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	var all []string
	for _, match := range fence.FindAllStringSubmatch(readme(t), -1) {
		all = append(all, match[1])
	}
	return all
}

// squeeze makes code comparable that is indented differently, or stripped of
// its comments.
func squeeze(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "//") {
			b.WriteString(line)
			b.WriteString("\n")
		}
	}
	return b.String()
}
