package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/inproc"
)

// pipeline reports the temperatures of a day. Which stations there are is known
// when "stations" has run, which generates a task for each of them.
func pipeline(day string) *dag.DAG {
	return &dag.DAG{
		Parameters: dag.Parameters{"DAY": dag.Scalar(day)},
		Tasks: []dag.Task{
			{Name: "stations", Job: dag.Command("stations", "{{DAY}}"), Generator: true},
			{Name: "report", Job: dag.Command("report", "{{DAY}}"), Parents: []string{"stations"}},
		},
	}
}

// fetch is the task that fetches the temperature of a station.
func fetch(station string) dag.Task {
	return dag.Task{
		Name:          "fetch-" + station,
		Job:           dag.Command("fetch", station, "{{DAY}}"),
		Children:      []string{"report"},
		MaxRetries:    5,
		RetryInterval: time.Hour,
	}
}

// A source is where temperatures come from.
type source interface {
	stations(day string) ([]string, error)
	temperature(station, day string) (float64, error)
}

// weather has the functions that the pipeline calls.
type weather struct {
	source source

	mu           sync.Mutex
	temperatures map[string]float64 // guarded by mu
}

func (w *weather) funcs() inproc.Funcs {
	return inproc.Funcs{
		"stations": inproc.Generator(w.list),
		"fetch":    w.fetch,
		"report":   w.report,
	}
}

// list is called with a day.
func (w *weather) list(_ context.Context, c *inproc.Call) ([]dag.Task, error) {
	names, err := w.source.stations(c.Args[0])
	var tasks []dag.Task
	for _, name := range slices.Sorted(slices.Values(names)) {
		tasks = append(tasks, fetch(name))
	}
	return tasks, err
}

// fetch is called with a station and a day.
func (w *weather) fetch(_ context.Context, c *inproc.Call) error {
	t, err := w.source.temperature(c.Args[0], c.Args[1])
	if err != nil {
		return err
	}
	if t < -100 || t > 70 {
		// The thermometer is broken. It will not be better in an hour.
		return executor.Permanent(fmt.Errorf("%s reports %g degrees", c.Args[0], t))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.temperatures == nil {
		w.temperatures = map[string]float64{}
	}
	w.temperatures[c.Args[0]] = t
	return nil
}

// report is called with a day.
func (w *weather) report(_ context.Context, c *inproc.Call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "temperatures of %s\n", c.Args[0])
	for _, station := range slices.Sorted(maps.Keys(w.temperatures)) {
		fmt.Fprintf(&text, "%-10s %6.1f\n", station, w.temperatures[station])
	}
	_, err := io.WriteString(c.Stdout, text.String())
	return err
}
