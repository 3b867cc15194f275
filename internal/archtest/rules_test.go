package archtest

// A rule says what the packages that it is for may import of this module, apart
// from their tests. Every package has one rule: the first that matches.
type rule struct {
	// packages is a pattern for paths below the module, see [matches].
	packages string
	// may lists patterns for paths below the module. No rule lists examples.
	may []string
	// reason is what to read before changing the rule.
	reason string
}

var rules = []rule{
	{
		"", nil,
		"the root is documentation only, so that importing a part never brings in the whole",
	},
	{
		"dag", nil,
		"it has the nouns that everything else is built from",
	},
	{
		"expand",
		[]string{"dag"},
		"it turns definitions into definitions and is pure",
	},
	{
		"capacity",
		[]string{"dag", "internal/..."},
		"it counts resources, whoever uses them",
	},
	{
		"executor",
		[]string{"dag", "expand", "capacity", "internal/..."},
		"it is the seam that adapters implement, so it knows none of them, no log and no runner",
	},
	{
		"executor/remote/agent",
		[]string{
			"dag", "expand", "capacity", "executor", "executor/remote",
			"executor/remote/internal/...", "executor/remote/agent/internal/...",
			"executor/fork", "statelog", "statelog/filelog",
			"internal/...",
		},
		"it is the engine of its node: it is given the executor that it serves, or takes the" +
			" runner's default, and keeps its journal in a log of files",
	},
	{
		"executor/remote/agent/internal/...",
		[]string{"dag", "capacity", "executor", "executor/fork", "internal/..."},
		"it is a part of the agent, which runs commands by fork unless it is told otherwise",
	},
	{
		// The compiler keeps one from the internal packages of another.
		"executor/*",
		[]string{
			"dag", "expand", "capacity", "executor", "executor/*/internal/...", "internal/...",
		},
		"an executor imports its parent and never another one, so that programs link what they use",
	},
	{
		"executor/*/internal/...",
		[]string{
			"dag", "expand", "capacity", "executor", "executor/*/internal/...", "internal/...",
		},
		"it is a part of its executor",
	},
	{
		"statelog",
		[]string{"dag", "executor", "internal/..."},
		"it is the seam that back ends implement, so it knows none of them and no runner",
	},
	{
		"statelog/streamlog",
		[]string{"dag", "executor", "statelog", "statelog/memlog", "internal/..."},
		"it is not a store but a wrapper around any log, and without one it takes the default log",
	},
	{
		"statelog/redislog",
		[]string{
			"dag", "expand", "executor", "statelog", "statelog/internal/...", "internal/...",
		},
		"it is a back end that also writes documents, and instances have names in them",
	},
	{
		"statelog/*",
		[]string{"dag", "executor", "statelog", "statelog/internal/...", "internal/..."},
		"a back end imports its parent and never another one, so that programs link what they use",
	},
	{
		"statelog/internal/...",
		[]string{"dag", "executor", "statelog", "statelog/internal/...", "internal/..."},
		"it is what back ends have in common, and knows none of them",
	},
	{
		"statelog/*/internal/...",
		[]string{"dag", "executor", "statelog", "statelog/*/internal/...", "internal/..."},
		"it is a part of its back end",
	},
	{
		"runner/internal/plan",
		[]string{"dag", "expand", "capacity", "executor", "statelog"},
		"the plan decides and the runner acts; only the runner knows both",
	},
	{
		"runner/internal/...",
		[]string{
			"dag", "expand", "capacity", "executor", "statelog",
			"runner/internal/...", "internal/...",
		},
		"the parts of the runner do not know the whole",
	},
	{
		"runner",
		[]string{
			"dag", "expand", "capacity", "executor", "executor/fork", "statelog", "statelog/memlog",
			"runner/internal/...", "internal/...",
		},
		"programs choose executors and logs; the runner knows the defaults of its zero value alone",
	},
	{
		"runner/runnertest",
		[]string{
			"dag", "expand", "capacity", "executor", "executor/*", "statelog", "statelog/*",
			"runner", "internal/...",
		},
		"it puts together what tests of pipelines need",
	},
	{
		"runner/service/webui",
		[]string{"internal/..."},
		"it is files that the service serves",
	},
	{
		"runner/service",
		[]string{
			"dag", "expand", "capacity", "executor", "statelog", "runner", "runner/service/webui",
			"internal/...",
		},
		"it serves runners that a program has put together",
	},
	{
		"runner/*",
		[]string{"dag", "expand", "capacity", "executor", "statelog", "runner", "internal/..."},
		"it observes a runner, and programs that do not use it do not link it",
	},
	{
		"examples/...", everything,
		"examples are programs and use whatever they show, but not each other",
	},
	{
		"internal/...", everything,
		"a helper may help at any height; Go refuses the cycle if somebody below imports it",
	},
}

var everything = []string{
	"dag", "expand", "capacity", "executor/...", "statelog/...", "runner/...", "internal/...",
}

// An outside rule says where a package from outside this module may be imported
// by files that are not tests.
type outside struct {
	// imports is a pattern for import paths.
	imports string
	// by are patterns for packages of this module.
	by     []string
	reason string
}

var outsides = []outside{
	{
		"testing/...",
		[]string{"...test"},
		"programs would link its flags; only packages named ...test are for tests",
	},
	{
		"github.com/stretchr/testify/...",
		[]string{"...test"},
		"assertions belong to tests",
	},
	{
		"go.uber.org/goleak/...",
		[]string{"...test"},
		"leak checks belong to tests",
	},
	{
		"github.com/vbauerster/mpb/...",
		[]string{"runner/progress"},
		"only users of the display pay for it",
	},
	{
		"github.com/prometheus/...",
		[]string{"runner/metrics"},
		"only users of the metrics pay for them",
	},
	{
		"github.com/redis/...",
		[]string{"statelog/redislog", "internal/integration/...", "examples/logs"},
		"only users of Redis pay for its client",
	},
	{
		"github.com/jackc/...",
		[]string{"internal/integration/...", "examples/logs"},
		"programs bring the driver of their database",
	},
	{
		"modernc.org/...",
		[]string{"internal/integration/...", "examples/logs"},
		"programs bring the driver of their database",
	},
}
