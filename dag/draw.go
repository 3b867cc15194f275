package dag

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Drawing says how [DAG.Mermaid] and [DAG.DOT] draw. The zero value draws
// from the top down without colours.
type Drawing struct {
	// State returns the state of a task, such as "completed", which colours
	// it; "" and words that are no state of a run do not. Nil: no colours.
	State func(task string) string
	// LeftToRight turns the drawing.
	LeftToRight bool
}

// colours of the states of a run: fill and line, dark on light.
var colours = [...]struct{ state, fill, line string }{
	{"waiting", "#f4f4f5", "#a1a1aa"},
	{"queued", "#fef9c3", "#ca8a04"},
	{"running", "#dbeafe", "#2563eb"},
	{"completed", "#dcfce7", "#16a34a"},
	{"failed", "#fee2e2", "#dc2626"},
	{"killed", "#f3e8ff", "#9333ea"},
	{"skipped", "#e5e5e5", "#737373"},
}

// Mermaid writes the graph of d as a Mermaid flowchart, tasks and edges in
// definition order. Generators have double sides. It fails as [NewGraph] does,
// before anything is written, or with the error of w.
//
// Mermaid itself refuses more than 500 edges unless it is told otherwise.
func (d *DAG) Mermaid(w io.Writer, o Drawing) error {
	g, err := d.Graph()
	if err != nil {
		return err
	}
	p := pen{w: bufio.NewWriter(w)}
	p.printf("flowchart %s\n", o.direction())
	var used [len(colours)]bool
	for i := range d.Tasks {
		// Names can hold anything and identifiers cannot, so number them.
		t, left, right := &d.Tasks[i], `["`, `"]`
		if t.Generator {
			left, right = `[["`, `"]]`
		}
		p.printf("    t%d%s%s%s", i, left, mermaidText.Replace(t.Name), right)
		if c := o.colour(t.Name); c >= 0 {
			p.printf(":::%s", colours[c].state)
			used[c] = true
		}
		p.printf("\n")
	}
	p.edges(g, "    t%d --> t%d\n")
	for i, c := range colours {
		if used[i] {
			p.printf("    classDef %s fill:%s,stroke:%s,color:#18181b\n",
				c.state, c.fill, c.line)
		}
	}
	return p.done()
}

// mermaidText writes what could be markup as Mermaid's entity codes.
var mermaidText = strings.NewReplacer(
	`"`, "#quot;", "#", "#35;", "&", "#amp;", "<", "#lt;", ">", "#gt;", "`", "#96;",
	`\`, "#92;", ";", "#59;",
)

// DOT writes the graph of d in the language of Graphviz, on the terms of
// [DAG.Mermaid].
func (d *DAG) DOT(w io.Writer, o Drawing) error {
	g, err := d.Graph()
	if err != nil {
		return err
	}
	p := pen{w: bufio.NewWriter(w)}
	p.printf("digraph {\n    rankdir=%s\n", o.direction())
	p.printf("    node [shape=box style=filled fillcolor=\"#ffffff\" fontname=\"sans-serif\"]\n")
	for i := range d.Tasks {
		t := &d.Tasks[i]
		p.printf(`    t%d [label="%s"`, i, dotText.Replace(t.Name))
		if t.Generator {
			p.printf(" peripheries=2")
		}
		if c := o.colour(t.Name); c >= 0 {
			p.printf(` fillcolor=%q color=%q`, colours[c].fill, colours[c].line)
		}
		p.printf("]\n")
	}
	p.edges(g, "    t%d -> t%d\n")
	p.printf("}\n")
	return p.done()
}

// dotText escapes a label: Graphviz reads backslashes and HTML entities in it.
var dotText = strings.NewReplacer(`"`, `\"`, `\`, `\\`, "&", "&amp;")

func (o Drawing) direction() string {
	if o.LeftToRight {
		return "LR"
	}
	return "TB"
}

// colour returns the index of the task's colour, or -1.
func (o Drawing) colour(task string) int {
	if o.State == nil {
		return -1
	}
	state := o.State(task)
	for i, c := range colours {
		if c.state == state {
			return i
		}
	}
	return -1
}

// A pen writes, and keeps the first error until it is done.
type pen struct {
	w   *bufio.Writer
	err error
}

func (p *pen) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *pen) edges(g *Graph, format string) {
	for i := range g.Len() {
		for _, c := range g.Children(i) {
			p.printf(format, i, c)
		}
	}
}

func (p *pen) done() error {
	if p.err != nil {
		return p.err
	}
	return p.w.Flush()
}
