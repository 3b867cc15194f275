package expand_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/daggy-go/daggy/dag"
)

// The oracle says what instances there are in the most naive way: it searches
// and replaces in whole jobs, and has nothing in common with the package but
// the rules.

var braces = regexp.MustCompile(`\\?\{\{([A-Za-z0-9_-]+)\}\}`)

var escapedBraces = regexp.MustCompile(`^\\\{\{[A-Za-z0-9_-]+\}\}`)

// instance is what the oracle makes.
type instance struct {
	name string
	job  dag.Job
}

// mapJob passes all strings of j but those of the options through f.
func mapJob(j dag.Job, f func(string) string) dag.Job {
	j.Command, j.Environment = slices.Clone(j.Command), slices.Clone(j.Environment)
	for i, s := range j.Command {
		j.Command[i] = f(s)
	}
	for i, s := range j.Environment {
		j.Environment[i] = f(s)
	}
	j.WorkDir = f(j.WorkDir)
	if j.Options != nil {
		j.Options = mapOptions(j.Options, f).(map[string]any)
	}
	return j
}

func mapOptions(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		c := slices.Clone(v)
		for i := range c {
			c[i] = mapOptions(c[i], f)
		}
		return c
	case map[string]any:
		c := maps.Clone(v)
		for k := range c {
			c[k] = mapOptions(c[k], f)
		}
		return c
	default:
		return v
	}
}

// oracle returns the instances of t, or the names that no parameter has.
func oracle(t dag.Task, defaults dag.Job, p dag.Parameters) (all []instance, unknown []string) {
	params := maps.Clone(p)
	maps.Copy(params, t.Parameters)
	job := t.Job.WithDefaults(defaults)

	var lists []string
	mapJob(job, func(s string) string {
		for _, m := range braces.FindAllStringSubmatch(s, -1) {
			v, known := params[m[1]]
			switch {
			case strings.HasPrefix(m[0], `\`):
			case !known:
				unknown = append(unknown, m[1])
			case v.IsList() && !slices.Contains(lists, m[1]):
				lists = append(lists, m[1])
			}
		}
		return s
	})
	slices.Sort(lists)
	values := map[string]string{}
	for name, v := range params {
		if !v.IsList() {
			values[name] = v.At(0)
		}
	}
	var combine func(rest []string)
	combine = func(rest []string) {
		if len(rest) > 0 {
			for i := range params[rest[0]].Len() {
				values[rest[0]] = params[rest[0]].At(i)
				combine(rest[1:])
			}
			return
		}
		name := t.Name
		if len(lists) > 0 {
			name += "_" + strconv.Itoa(len(all)+1)
		}
		all = append(all, instance{name, mapJob(job, func(s string) string {
			return braces.ReplaceAllStringFunc(s, func(m string) string {
				if strings.HasPrefix(m, `\`) {
					return m[1:]
				}
				return values[strings.Trim(m, "{}")]
			})
		})})
	}
	combine(lists)
	return all, unknown
}

// split is commandString by the rules, for the shell's part character by
// character. It knows nothing of what shlex does.
func Split(s string) (words []string, ok bool) {
	const outside, single, double byte = 0, '\'', '"'
	var word *strings.Builder
	add := func(s string) {
		if word == nil {
			word = &strings.Builder{}
		}
		word.WriteString(s)
	}
	end := func() {
		if word != nil {
			words = append(words, word.String())
			word = nil
		}
	}
	state := outside
	for s != "" {
		c, rest := s[0], s[1:]
		escaped := ""
		if c == '\\' {
			escaped = escapedBraces.FindString(s)
		}
		switch {
		case state != single && strings.HasPrefix(s, "\\\n"):
			rest = rest[1:]
		case state == outside && escaped != "":
			add(escaped)
			rest = s[len(escaped):]
		case state == outside && c == '\\':
			if rest == "" {
				return nil, false
			}
			add(rest[:1])
			rest = rest[1:]
		case state == double && c == '\\' && rest != "" && strings.Contains("$`\"\\", rest[:1]):
			add(rest[:1])
			rest = rest[1:]
		case state == outside && strings.Contains(" \t\r\n", s[:1]):
			end()
		case state == outside && (c == single || c == double):
			add("")
			state = c
		case state != outside && state == c:
			state = outside
		default:
			add(s[:1])
		}
		s = rest
	}
	end()
	return words, state == outside && len(words) > 0
}
