package runner

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/fork"
	"github.com/daggy-go/daggy/expand"
	"github.com/daggy-go/daggy/runner/internal/plan"
	"github.com/daggy-go/daggy/statelog"
)

// defaultMaxRunning is how many attempts run at once in a pool without an
// allocator.
const defaultMaxRunning = 1024

// pools are the executors of a run, and the groups of tasks that ask them for
// the same resources.
type pools struct {
	list    []poolDef
	byName  map[string]int
	groups  []groupDef
	byAsk   map[string]int
	options map[string]any
	main    string
	// mainIndex is where the pool of tasks that name none is. -1: there is none.
	mainIndex int
}

type poolDef struct {
	name      string
	executor  executor.Executor
	allocator *capacity.Allocator
	slots     int
	durable   bool
	options   map[string]any
	group     int // of tasks that ask for nothing; -1: none yet
}

type groupDef struct {
	pool      int
	resources capacity.Resources
}

// pools makes the executors of this Runner ready for a run of d.
func (r *Runner) pools(d *dag.DAG) (*pools, error) {
	p := &pools{
		byName:  map[string]int{},
		byAsk:   map[string]int{},
		options: d.PoolOptions,
		main:    d.Pool,
	}
	if r.Pools[""] != nil && r.Executor != nil {
		return nil, fmt.Errorf("runner: both Executor and Pools[\"\"] are set; use one of them")
	}
	names := slices.Sorted(maps.Keys(r.Pools))
	if r.Pools[""] == nil {
		names = slices.Insert(names, 0, "")
	}
	for _, name := range names {
		ex := r.Pools[name]
		if name == "" && ex == nil {
			ex = r.defaultExecutor()
		}
		if ex == nil {
			return nil, fmt.Errorf("runner: pool %q has no executor", name)
		}
		p.byName[name] = len(p.list)
		p.list = append(p.list, r.poolDef(name, ex, p))
	}
	p.mainIndex = slices.IndexFunc(p.list, func(def poolDef) bool { return def.name == p.main })
	return p, nil
}

func (r *Runner) poolDef(name string, ex executor.Executor, p *pools) poolDef {
	def := poolDef{name: name, executor: ex, slots: r.MaxRunning, group: -1}
	if def.slots == 0 {
		def.slots = defaultMaxRunning
	}
	if a, ok := executor.As[executor.Allocating](ex); ok {
		def.allocator = a.Allocator()
	}
	if def.allocator != nil {
		def.slots = -1
	}
	if d, ok := executor.As[executor.Durable](ex); ok {
		def.durable = d.Durable()
	}
	if name == p.main {
		def.options = p.options
	}
	return def
}

// own replaces what the pools share with a definition that may be altered.
func (p *pools) own(options map[string]any) {
	p.options = options
	for i := range p.list {
		if p.list[i].name == p.main {
			p.list[i].options = options
		}
	}
}

// defaultExecutor is that of pool "" if the Runner names none. All runs of the
// Runner share its capacity. Processes outlive the program if the log does, for
// else they would be lost with it while the run is not.
func (r *Runner) defaultExecutor() executor.Executor {
	if r.Executor != nil {
		return r.Executor
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.local == nil {
		var c fork.Config
		log, ok := statelog.As[statelog.Directory](r.Log)
		if ok && runtime.GOOS == "linux" { // elsewhere fork refuses it
			c.Dir = log.Dir() + "-processes"
		}
		r.local = fork.New(c)
	}
	return r.local
}

// check finds the pool of a task and asks its executor. It alters nothing, and
// calls user code.
func (p *pools) check(t *dag.Task, template *expand.Template) error {
	i, ok := p.poolOf(t)
	if !ok {
		return p.unknown(t)
	}
	if groups(t, template) {
		return nil
	}
	if err := p.list[i].validate(t, template); err != nil {
		return unfit(t, "job", err)
	}
	return nil
}

// poolOf returns the index of a task's pool.
func (p *pools) poolOf(t *dag.Task) (int, bool) {
	if t.Pool == "" {
		return p.mainIndex, p.mainIndex >= 0
	}
	i, ok := p.byName[t.Pool]
	return i, ok
}

// groups reports whether the task only groups.
func groups(t *dag.Task, template *expand.Template) bool {
	if template != nil {
		return template.Groups()
	}
	return len(t.Job.Command) == 0 && len(t.Job.Options) == 0
}

// asksFor returns the resources of a task.
func asksFor(t *dag.Task, template *expand.Template) capacity.Resources {
	if template != nil {
		return template.Job().Resources
	}
	return t.Job.Resources
}

// asks reports whether a task has to be leased more than the least there is.
func (p *pools) asks(t *dag.Task, template *expand.Template, planned *plan.Task) bool {
	i, ok := p.poolOf(t)
	return ok && p.list[i].allocator != nil && !planned.Barrier &&
		len(asksFor(t, template)) > 0
}

// place finds the group of a task that was checked.
func (p *pools) place(t *dag.Task, template *expand.Template, planned *plan.Task) error {
	i, _ := p.poolOf(t)
	if !p.asks(t, template, planned) {
		return p.placePlain(t, i, planned)
	}
	pool := &p.list[i]
	resources := asksFor(t, template)
	ask := askKey(i, resources)
	group, ok := p.byAsk[ask]
	if !ok {
		if err := p.satisfiable(pool, t, resources); err != nil {
			return err
		}
		group = p.addGroup(i, maps.Clone(resources))
		p.byAsk[ask] = group
	}
	planned.Group = int32(group)
	return nil
}

// placePlain is place of a task of pool i that asks for nothing.
func (p *pools) placePlain(t *dag.Task, i int, planned *plan.Task) error {
	pool := &p.list[i]
	if pool.group < 0 {
		if err := p.satisfiable(pool, t, nil); err != nil && !planned.Barrier {
			return err
		}
		pool.group = p.addGroup(i, nil)
	}
	planned.Group = int32(pool.group)
	return nil
}

// validate asks the executor, and makes an error of a panic (R4): generated jobs
// are checked where nobody else would catch it.
func (d *poolDef) validate(t *dag.Task, template *expand.Template) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	if template != nil {
		return d.executor.Validate(template.Job())
	}
	return d.executor.Validate(t.Job)
}

// validateOptions asks the executor of the DAG's pool about the options for it.
func (p *pools) validateOptions() (err error) {
	if len(p.options) == 0 || p.mainIndex < 0 {
		return nil
	}
	v, ok := executor.As[executor.PoolValidator](p.list[p.mainIndex].executor)
	if !ok {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = &executor.PanicError{Value: v, Stack: debug.Stack()}
		}
		if err != nil {
			err = unfit(&dag.Task{}, "executionParameters.poolParameters", err)
		}
	}()
	return v.ValidatePool(p.options)
}

// satisfiable reports a request that no node of the pool could ever grant.
func (p *pools) satisfiable(pool *poolDef, t *dag.Task, req capacity.Resources) error {
	err := pool.refusal(req)
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*capacity.RefusedError](err); ok && !refused.Never {
		return nil
	}
	return unfit(t, resourceField(err), err)
}

// refusal says why a request would be refused now, or is nil.
func (d *poolDef) refusal(req capacity.Resources) error {
	if d.allocator == nil {
		return nil
	}
	return d.allocator.Check(req)
}

// misfits returns what is wrong with the pools, jobs and resources of a
// definition in which other things are wrong too, so that all problems are
// reported at once.
func (p *pools) misfits(d *dag.DAG, x expand.Expander) []error {
	var errs []error
	if err := p.validateOptions(); err != nil {
		errs = append(errs, err)
	}
	for i := range d.Tasks {
		t := &d.Tasks[i]
		template, err := x.Compile(*t, d.JobDefaults, d.Parameters)
		if err != nil {
			continue // which is reported already
		}
		planned := planTask(t, template)
		err = p.check(t, template)
		if err == nil {
			err = p.place(t, template, &planned)
		}
		if err != nil {
			if errs = append(errs, err); len(errs) == maxErrors {
				break
			}
		}
	}
	return errs
}

func (p *pools) addGroup(pool int, req capacity.Resources) int {
	p.groups = append(p.groups, groupDef{pool: pool, resources: req})
	return len(p.groups) - 1
}

// askKey is equal for equal requests of the same pool.
func askKey(pool int, req capacity.Resources) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(pool))
	for _, name := range slices.Sorted(maps.Keys(req)) {
		fmt.Fprintf(&b, "\x00%s\x00%d", name, req[name])
	}
	return b.String()
}

// mark and reset undo the groups of tasks that were not added after all.
func (p *pools) mark() int { return len(p.groups) }

func (p *pools) reset(mark int) {
	p.groups = p.groups[:mark]
	maps.DeleteFunc(p.byAsk, func(_ string, group int) bool { return group >= mark })
	for i := range p.list {
		if p.list[i].group >= mark {
			p.list[i].group = -1
		}
	}
}

func (p *pools) unknown(t *dag.Task) error {
	known := []string{"the default one"}
	for _, def := range p.list {
		if def.name != "" {
			known = append(known, strconv.Quote(def.name))
		}
	}
	return &dag.Problem{
		Task: t.Name, Field: "pool",
		Text: fmt.Sprintf("there is no pool %q", cmp.Or(t.Pool, p.main)),
		Hint: "the pools are " + strings.Join(known, ", "),
	}
}

// records says of the pools what is recorded when an engine takes a run.
func (p *pools) records() []statelog.Pool {
	list := make([]statelog.Pool, len(p.list))
	for i, def := range p.list {
		list[i] = statelog.Pool{
			Name: def.name, Executor: fmt.Sprintf("%T", def.executor), Durable: def.durable,
		}
	}
	return list
}
