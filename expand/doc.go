// Package expand turns tasks and parameters into instances.
//
// A task whose job refers to list parameters stands for many instances, one
// for each combination of their values:
//
//	d := &dag.DAG{
//		Parameters: dag.Parameters{
//			"DATE": dag.List("2021-01-01", "2021-02-01"),
//			"HOST": dag.Scalar("db1"),
//		},
//		Tasks: []dag.Task{{Name: "pull", Job: dag.Command("pull", "{{HOST}}", "{{DATE}}")}},
//	}
//	t, err := expand.Compile(d.Tasks[0], d.JobDefaults, d.Parameters)
//	…
//	t.Len()      // 2
//	t.At(1).Name // "pull_2", whose command is pull db1 2021-02-01
//
// [Validate] checks a whole definition, [Compile] prepares one task, whose
// [Template] makes instances on demand, and [Expand] writes all of them out.
// Everything here is pure and deterministic.
//
// # Rules
//
//  1. A placeholder is {{NAME}}, NAME being one or more ASCII letters, digits,
//     "_" and "-". Other text in braces, such as {{.ID}}, {{ x }} and {{}}, is
//     left alone. \{{NAME}} stands for {{NAME}} as it is; the backslash always
//     does that, so to have one before a value put it into a parameter.
//  2. Placeholders work in every string of a job, several in one: the command,
//     the commandString, the environment, the working directory, and the
//     options with all strings in their slices and in the values (not the
//     keys) of their maps. They do not work in the names and amounts of
//     resources.
//  3. A task's own parameters come before those of the DAG. A NAME that is
//     neither's is an error, a parameter that nothing refers to is not.
//  4. Values are put in as they are and once. They are not read for further
//     placeholders, quotes or blanks, so the number of words of a command does
//     not depend on them.
//  5. A scalar is put in. A list multiplies the tasks that refer to it, however
//     often they do, a list of one too; others are untouched. An empty list is
//     an error.
//  6. The instances of a multiplied task T are T_1, T_2 and so on. Parameters
//     are ordered by name and the last one varies fastest. Another task must
//     not have the name of an instance. Dependencies mean the task with all its
//     instances; they never name an instance.
//  7. Job defaults are filled in first, see [dag.Job.WithDefaults]. What they
//     refer to multiplies each task that takes it, and no other. Command and
//     CommandString are one member, and no job has both.
//  8. A commandString is split once, before values are put in, by the quoting
//     rules of a POSIX shell: single and double quotes, backslashes, a backslash
//     at the end of a line. Nothing else of a shell happens. In particular # is
//     an ordinary character: there are no comments, and no word is dropped.
//  9. A product of lists, the tasks and the instances of a definition are
//     limited by [dag.Limits]. That is checked before anything is allocated.
//
// [Version] names this set of rules.
package expand
