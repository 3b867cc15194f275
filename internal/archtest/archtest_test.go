package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/daggy-go/daggy"

// A file is what the rules want to know of a Go file.
type file struct {
	pkg     string // its directory below the module; "" is the root
	name    string
	imports []string
}

func (f file) test() bool { return strings.HasSuffix(f.name, "_test.go") }

func TestImportsFollowTheRules(t *testing.T) {
	t.Parallel()
	files := moduleFiles(t)
	require.NotEmpty(t, files)
	require.Empty(t, violations(files))
}

// The rules themselves are tested: each of these must be found.
func TestViolationsAreFound(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		from     string // a file of this module
		imports  string // "./" is this module
		violated bool
	}{
		{"dag imports something", "dag/x.go", "./expand", true},
		{"dag imports a helper", "dag/x.go", "./internal/helper", true},
		{"dag imports another module", "dag/x.go", "github.com/google/shlex", false},
		{"dag imports the root", "dag/x.go", ".", true},
		{"expand imports dag", "expand/x.go", "./dag", false},
		{"executor imports an adapter", "executor/x.go", "./executor/fork", true},
		{"adapter imports its parent", "executor/fork/x.go", "./executor", false},
		{"adapter imports another", "executor/sim/x.go", "./executor/fork", true},
		{"suite imports an adapter", "executor/executortest/x.go", "./executor/sim", true},
		{"agent imports its client", "executor/remote/agent/x.go", "./executor/remote", false},
		{"agent imports its default", "executor/remote/agent/x.go", "./executor/fork", false},
		{"agent imports its journal", "executor/remote/agent/x.go", "./statelog/filelog", false},
		{"agent imports the runner", "executor/remote/agent/x.go", "./runner", true},
		{"executor imports a log", "executor/fork/x.go", "./statelog", true},
		{"log imports another", "statelog/filelog/x.go", "./statelog/memlog", true},
		{"streamlog imports the default", "statelog/streamlog/x.go", "./statelog/memlog", false},
		{"streamlog imports another", "statelog/streamlog/x.go", "./statelog/filelog", true},
		{"log imports what logs share", "statelog/sqllog/x.go", "./statelog/internal/lease", false},
		{"what logs share imports one", "statelog/internal/x/x.go", "./statelog/memlog", true},
		{"log imports the runner", "statelog/memlog/x.go", "./runner", true},
		{"runner imports its default", "runner/x.go", "./executor/fork", false},
		{"runner imports another executor", "runner/x.go", "./executor/slurm", true},
		{"runner imports its observer", "runner/x.go", "./runner/metrics", true},
		{"plan imports the runner", "runner/internal/plan/x.go", "./runner", true},
		{"observer imports another", "runner/metrics/x.go", "./runner/progress", true},
		{"helper imports an example", "internal/x/x.go", "./examples/run", true},
		{"test imports an example", "runner/x_test.go", "./examples/run", true},
		{"test looks up", "dag/x_test.go", "./runner", false},
		{"program imports testing", "executor/sim/x.go", "testing", true},
		{"program imports below testing", "executor/sim/x.go", "testing/synctest", true},
		{"test imports testing", "executor/sim/x_test.go", "testing", false},
		{"suite imports testing", "executor/executortest/x.go", "testing", false},
		{"runner imports testify", "runner/x.go", "github.com/stretchr/testify/require", true},
		{"runner draws", "runner/x.go", "github.com/vbauerster/mpb/v8", true},
		{"log brings a driver", "statelog/sqllog/x.go", "github.com/jackc/pgx/v5/stdlib", true},
		{"servers bring drivers", "internal/integration/x.go", "modernc.org/sqlite", false},
		{"unknown package", "util/x.go", "fmt", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			imported := tc.imports
			if ours, ok := strings.CutPrefix(imported, "."); ok {
				imported = module + ours
			}
			f := file{path.Dir(tc.from), path.Base(tc.from), []string{imported}}
			found := violations([]file{f})
			require.Equal(t, tc.violated, len(found) > 0, "found: %q", found)
		})
	}
}

func TestEveryRuleHasAReason(t *testing.T) {
	t.Parallel()
	for _, r := range rules {
		require.NotEmpty(t, r.reason, r.packages)
	}
	for _, o := range outsides {
		require.NotEmpty(t, o.reason, o.imports)
	}
}

// violations returns a sentence for every import that a rule forbids.
func violations(files []file) []string {
	var found []string
	for _, f := range files {
		at := path.Join(f.pkg, f.name)
		i := slices.IndexFunc(rules, func(r rule) bool { return matches(r.packages, f.pkg) })
		if i < 0 {
			found = append(found, fmt.Sprintf("%s: no rule says what %q may import", at, f.pkg))
			continue
		}
		for _, imported := range f.imports {
			if reason, bad := forbidden(f, rules[i], imported); bad {
				found = append(found, fmt.Sprintf("%s imports %s: %s", at, imported, reason))
			}
		}
	}
	return found
}

func forbidden(f file, r rule, imported string) (reason string, bad bool) {
	ours, isOurs := strings.CutPrefix(imported+"/", module+"/")
	ours = strings.TrimSuffix(ours, "/")
	switch {
	case isOurs && f.test():
		return "examples are there to be read, not imported", matches("examples/...", ours)
	case isOurs:
		return r.reason, !matchesAny(r.may, ours)
	case f.test():
		return "", false
	}
	for _, o := range outsides {
		if matches(o.imports, imported) && !matchesAny(o.by, f.pkg) {
			return o.reason, true
		}
	}
	return "", false
}

// matches reports whether name fits a pattern, in which "*" stands for any text
// without a slash, "..." for any text, and "/..." at the end for that or nothing.
func matches(pattern, name string) bool {
	expr := regexp.QuoteMeta(pattern)
	expr = strings.ReplaceAll(expr, `\.\.\.`, `.*`)
	expr = strings.ReplaceAll(expr, `\*`, `[^/]*`)
	if rest, ok := strings.CutSuffix(expr, `/.*`); ok {
		expr = rest + `(/.*)?`
	}
	return regexp.MustCompile(`^` + expr + `$`).MatchString(name)
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// moduleFiles reads the imports of every Go file of the module, and of those
// nested in it, which keep to the same rules.
func moduleFiles(t *testing.T) []file {
	t.Helper()
	root := filepath.Join("..", "..")
	require.FileExists(t, filepath.Join(root, "go.mod"))
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skipDir(root, name)
		case filepath.Ext(name) != ".go":
			return nil
		}
		f, err := readFile(root, name)
		files = append(files, f)
		return err
	})
	require.NoError(t, err)
	return files
}

// skipDir leaves out what the go command leaves out: hidden directories and
// testdata.
func skipDir(root, dir string) error {
	if dir == root {
		return nil
	}
	base := filepath.Base(dir)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || base[0] == '_' {
		return filepath.SkipDir
	}
	return nil
}

func readFile(root, name string) (file, error) {
	rel, err := filepath.Rel(root, name)
	if err != nil {
		return file{}, err
	}
	pkg := filepath.ToSlash(filepath.Dir(rel))
	if pkg == "." {
		pkg = ""
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return file{}, err
	}
	f := file{pkg: pkg, name: filepath.Base(name)}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return file{}, err
		}
		f.imports = append(f.imports, imported)
	}
	return f, nil
}
