package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor/inproc"
	"github.com/daggy-go/daggy/runner"
)

// survey has the functions of the DAG.
type survey struct{ started chan *runner.Handle }

// list returns the tasks for every package below a directory. Archives go to
// another one.
func (s *survey) list(ctx context.Context, c *inproc.Call) ([]dag.Task, error) {
	src, archives := c.Args[0], c.Args[1]
	packages, err := goFiles(ctx, src)
	if err != nil {
		return nil, err
	}
	var first, second, third []dag.Task
	for i, pkg := range slices.Sorted(maps.Keys(packages)) {
		// A command is a list of words and no shell sees it, so files may be
		// called what they like.
		command := func(words ...string) dag.Job {
			return dag.Job{
				Command: append(words, packages[pkg]...),
				WorkDir: filepath.Join(src, filepath.FromSlash(pkg)),
			}
		}
		archive := filepath.Join(archives, strconv.Itoa(i)+".tar.gz")
		first = append(first,
			dag.Task{Name: "pack " + pkg, Job: command("tar", "-czf", archive)},
			dag.Task{
				Name:     "weigh " + pkg,
				Job:      dag.Command("wc", "-c", archive),
				Parents:  []string{"pack " + pkg},
				Children: []string{"report"},
			},
		)
		second = append(second, dag.Task{
			Name: "lines " + pkg, Job: command("wc", "-l"), Children: []string{"report"},
		})
		third = append(third, dag.Task{
			Name: "funcs " + pkg, Job: command("awk", countFuncs), Children: []string{"report"},
		})
	}
	return slices.Concat(first, second, third), nil
}

// countFuncs prints how many functions and methods there are, and how many of
// them are exported.
const countFuncs = `
	/^func / { all++ }
	/^func (\([^)]*\) )?[A-Z]/ { exported++ }
	END { print all + 0, exported + 0 }`

// goFiles returns the names of Go files by package.
func goFiles(ctx context.Context, src string) (map[string][]string, error) {
	packages := map[string][]string{}
	err := filepath.WalkDir(src, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case entry.IsDir() && slices.Contains([]string{"testdata", "vendor", "cmd"}, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(file) != ".go":
			return nil
		}
		pkg, err := filepath.Rel(src, filepath.Dir(file))
		pkg = filepath.ToSlash(pkg)
		packages[pkg] = append(packages[pkg], entry.Name())
		return err
	})
	if err == nil && len(packages) == 0 {
		err = fmt.Errorf("no Go files in %s", src)
	}
	return packages, err
}

// measures of a package, or of many.
type measures struct{ packages, files, code, tests, funcs, exported, packed int }

// report prints a table of what all the other tasks have printed.
func (s *survey) report(_ context.Context, c *inproc.Call) error {
	h := <-s.started
	areas := map[string]*measures{}
	var total measures
	for t := range h.Snapshot().Tasks() {
		what, pkg, ok := strings.Cut(t.Name, " ")
		if !ok {
			continue // list and report themselves
		}
		area, _, _ := strings.Cut(pkg, "/")
		if areas[area] == nil {
			areas[area] = &measures{}
		}
		stdout, _ := t.Stdout()
		for _, m := range []*measures{areas[area], &total} {
			if err := m.add(what, string(stdout)); err != nil {
				return fmt.Errorf("%s: %w", t.Name, err)
			}
		}
	}
	_, err := c.Stdout.Write(table(areas, total))
	return err
}

// add adds what a task has printed.
func (m *measures) add(what, stdout string) (err error) {
	switch what {
	case "weigh": // "SIZE FILE"
		size := 0
		_, err = fmt.Sscan(stdout, &size)
		m.packed += size
	case "funcs": // "ALL EXPORTED"
		all, exported := 0, 0
		_, err = fmt.Sscan(stdout, &all, &exported)
		m.funcs += all
		m.exported += exported
	case "lines": // "LINES FILE" for each file
		m.packages++
		for line := range strings.Lines(stdout) {
			n, file := 0, ""
			if _, err = fmt.Sscan(line, &n, &file); err != nil {
				return err
			}
			m.count(n, file)
		}
	}
	return err
}

func (m *measures) count(lines int, file string) {
	switch {
	case file == "total": // wc adds it if there are many files; ours end in .go
		return
	case strings.HasSuffix(file, "_test.go"):
		m.tests += lines
	default:
		m.code += lines
	}
	m.files++
}

const heads = "\tpackages\tfiles\tcode lines\ttest lines\tfuncs\texported\tKB packed\t"

// table shows the largest areas.
func table(areas map[string]*measures, total measures) []byte {
	names := slices.SortedFunc(maps.Keys(areas), func(a, b string) int {
		return cmp.Or(cmp.Compare(areas[b].code, areas[a].code), cmp.Compare(a, b))
	})
	const most = 12
	var others measures
	for _, name := range names[min(most, len(names)):] {
		others.merge(areas[name])
	}

	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, m *measures) {
		cells := []string{fmt.Sprintf("%-14s", name)}
		for _, n := range []int{
			m.packages, m.files, m.code, m.tests, m.funcs, m.exported, (m.packed + 1023) / 1024,
		} {
			cells = append(cells, thousands(n))
		}
		_, _ = fmt.Fprintln(w, strings.Join(cells, "\t")+"\t") // to memory
	}
	_, _ = fmt.Fprintln(w, heads) // to memory
	for _, name := range names[:min(most, len(names))] {
		row(name, areas[name])
	}
	if len(names) > most {
		row(fmt.Sprintf("%d others", len(names)-most), &others)
	}
	row("all", &total)
	_ = w.Flush() // to memory
	return b.Bytes()
}

func (m *measures) merge(o *measures) {
	m.packages += o.packages
	m.files += o.files
	m.code += o.code
	m.tests += o.tests
	m.funcs += o.funcs
	m.exported += o.exported
	m.packed += o.packed
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
