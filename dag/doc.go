// Package dag has the nouns of a workflow: a [DAG] of [Task] values, each with a
// [Job], and the [Graph] that orders them. It is plain data and pure functions;
// running it is for package runner.
//
//	d := &dag.DAG{Tasks: []dag.Task{
//		{Name: "fetch", Job: dag.Command("curl", "-O", "https://example.com/data.csv")},
//		{Name: "sum", Job: dag.Command("sum", "data.csv"), Parents: []string{"fetch"}},
//	}}
//	if err := d.Validate(); err != nil {
//		return err
//	}
//
// # Guarantees
//
//   - An edge may be given from either end, or both: it is one edge.
//   - Dependencies name tasks, never instances. Every order is stable: the one of
//     definition, or a topological one in which it breaks the ties.
//   - What is wrong is reported all at once, with the place, the reason and the
//     remedy; see [Problem]. Of every tangle of cycles one is shown, by its path.
//   - [DAG.Splice] and [Graph.Splice] are all or nothing.
//   - What [Parse] has read can be printed and parsed again, and is equal.
//   - Everything is linear in its input and goes by iteration: a chain of a
//     million tasks is ordinary.
//
// # Limits
//
// The name of a task is 1 to 255 bytes of UTF-8 and printable; it is identity
// and never becomes a path. The name of a parameter is made of letters, digits,
// _ and - of ASCII. [Limits] bounds what is read. A graph has fewer than 2³¹ tasks and
// edges. Strings are UTF-8, so that a log can hold them; a command cannot have
// arguments in any other encoding.
//
// # A definition in JSON
//
// [Parse] reads an object. This one pulls data, computes something for each of
// three dates, at the same time, and then makes a report:
//
//	{
//	  "tags": {"team": "finance"},
//	  "parameters": {
//	    "DATE": ["2021-01-01", "2021-02-01", "2021-03-01"],
//	    "SOURCE": "/data/in"
//	  },
//	  "jobDefaults": {"environment": {"TZ": "UTC"}},
//	  "tasks": {
//	    "populate_inputs": {
//	      "job": {"command": ["/usr/bin/pull", "{{SOURCE}}"]},
//	      "maxRetries": 3,
//	      "retryIntervalSeconds": 30,
//	      "children": ["calc_date"]
//	    },
//	    "calc_date": {
//	      "job": {
//	        "command": ["/usr/bin/calculate", "--date", "{{DATE}}", "{{SOURCE}}/{{DATE}}.csv"],
//	        "cores": 2,
//	        "memoryMB": 4096,
//	        "timeLimitSeconds": 3600
//	      }
//	    },
//	    "generate_report": {
//	      "job": {"commandString": "/usr/bin/report --title 'First quarter'"},
//	      "parents": ["calc_date"]
//	    }
//	  }
//	}
//
// The list DATE multiplies calc_date, which refers to it, into calc_date_1 to
// calc_date_3. They all wait for populate_inputs, and generate_report waits for
// all of them: dependencies say calc_date.
//
// The members of a definition:
//
//	tags                  object of strings
//	parameters            object; a string is substituted, a list of strings multiplies
//	jobDefaults           a job, for what the jobs of tasks leave out
//	executionParameters   object
//	  pool                the executor of tasks that name none
//	  poolParameters      object of anything, for the tasks of that pool
//	tasks                 object of tasks by name; their order counts. Required
//
// Of a task:
//
//	job                   what to do, see below
//	parents, children     lists of names of tasks
//	parameters            as above, for this task alone
//	isGenerator           true: its standard output is more tasks
//	maxRetries            whole number, default 0
//	retryIntervalSeconds  may have a fraction. Also named retry
//	notBefore             time as in RFC 3339
//	pool                  the executor
//	priority              whole number; higher goes first
//	command               the same as in job
//	commandString         the same as in job
//	name                  may repeat the key
//
// Of a job:
//
//	command               list of strings. [] is no command, not even the default one
//	commandString         the same as one string with quotes and backslashes
//	environment           list of "KEY=value", or object of strings
//	workDir               string
//	timeLimitSeconds      may have a fraction
//	cores, memoryMB, gpus whole numbers
//	resources             object of whole numbers, for resources of other names
//
// Any other member of a job goes to [Job.Options], with numbers as
// [encoding/json.Number]. Any other member elsewhere is an error, and so is one
// that is given twice or in other letters ("maxretries"). A number may be given
// as a string, and a number where a string is wanted stands for the text that it
// is written as. A null counts as left out.
//
// A generator prints the object of tasks alone, see [ParseTasks].
package dag
