package evidence

import (
	"bytes"
	"strconv"
	"strings"
)

// QueueFormat is what squeue is asked to print of each job (-o). The reason comes last,
// since it may be words of a plug-in with anything in them, and after the name: those
// of our jobs are plain. The mark at the beginning tells a job from the rest of a name
// or a reason with a line feed.
const QueueFormat = queueMark + "%i|%T|%N|%j|%r"

const queueMark = "daggy|"

// A Job is what a listing of the queue says of a job.
type Job struct {
	// ID as Slurm's commands take it: "12", or "12_3" for an element of an array.
	ID string
	// State is the word for it, such as "RUNNING", Node where it is and Reason
	// why it waits. "": none.
	State, Node, Reason string
}

// Queue reads a listing of the queue. It calls each for every job, with its name
// and its place in an array: -1 if it is none. Pending elements that are listed
// as one line ("12_[5-9%2]") are called one by one. It returns the number of
// lines that it could not read: after those, a job that was not called may still
// be in the queue.
func Queue(out []byte, each func(name string, index int, j Job)) (unread int) {
	for line := range bytes.Lines(out) {
		line, ours := bytes.CutPrefix(line, []byte(queueMark))
		if !ours {
			continue
		}
		text, whole := strings.CutSuffix(string(line), "\n")
		fields := strings.SplitN(strings.TrimRight(text, "\r"), "|", 5)
		if !whole || len(fields) < 4 || fields[1] == "" {
			unread++
			continue
		}
		j := Job{ID: fields[0], State: fields[1], Node: fields[2]}
		// A name with a line feed has its reason on another line.
		if len(fields) == 5 && fields[4] != "None" {
			j.Reason = fields[4]
		}
		if !elements(j.ID, func(id string, index int) {
			j.ID = id
			each(fields[3], index, j)
		}) {
			unread++
		}
	}
	return unread
}

// maxElements bounds how many elements one line may stand for: more than any
// cluster allows in an array.
const maxElements = 4_000_001

// elements calls f for each job that an id stands for. False: it is no id.
func elements(id string, f func(id string, index int)) bool {
	base, element, array := strings.Cut(id, "_")
	if !array {
		// "12+1" is a part of a heterogeneous job.
		leader, offset, het := strings.Cut(id, "+")
		if !isNumber(leader) || het && !isNumber(offset) {
			return false
		}
		f(id, -1)
		return true
	}
	if !isNumber(base) {
		return false
	}
	if n, ok := number(element); ok {
		f(id, n)
		return true
	}
	list, ok := strings.CutPrefix(element, "[")
	if !ok {
		return false
	}
	list, ok = strings.CutSuffix(list, "]")
	list, _, _ = strings.Cut(list, "%")
	// A long list is cut short by squeue, with dots at its end.
	if !ok || list == "" || strings.Contains(list, "...") {
		return false
	}
	spans, ok := parseSpans(list)
	if !ok {
		return false
	}
	for _, s := range spans {
		for n := s.from; n <= s.to; n += s.step {
			f(base+"_"+strconv.Itoa(n), n)
		}
	}
	return true
}

// A span is a part of a list of elements: "3", "5-9" or "0-8:2".
type span struct{ from, to, step int }

func parseSpans(list string) ([]span, bool) {
	var spans []span
	total := 0
	for part := range strings.SplitSeq(list, ",") {
		part, step, stepped := strings.Cut(part, ":")
		first, last, isRange := strings.Cut(part, "-")
		s := span{step: 1}
		var ok bool
		if s.from, ok = number(first); !ok {
			return nil, false
		}
		s.to = s.from
		if isRange {
			if s.to, ok = number(last); !ok || s.to < s.from {
				return nil, false
			}
		}
		if stepped {
			if s.step, ok = number(step); !ok || s.step == 0 {
				return nil, false
			}
		}
		if total += (s.to-s.from)/s.step + 1; total > maxElements {
			return nil, false
		}
		spans = append(spans, s)
	}
	return spans, true
}

func number(s string) (int, bool) {
	if !isNumber(s) {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n < maxElements
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 10 && strings.Trim(s, "0123456789") == ""
}

// Together writes ids as scancel takes them, those of an array as one word: a
// request to the controller for each word, instead of one for each job.
func Together(ids []string) []string {
	var words []string
	arrays := map[string][]string{}
	for _, id := range ids {
		base, element, array := strings.Cut(id, "_")
		if !array || !isNumber(element) {
			words = append(words, id)
			continue
		}
		if arrays[base] == nil {
			words = append(words, base)
		}
		arrays[base] = append(arrays[base], element)
	}
	for i, word := range words {
		if elements := arrays[word]; len(elements) == 1 {
			words[i] = word + "_" + elements[0]
		} else if elements != nil {
			words[i] = word + "_[" + strings.Join(elements, ",") + "]"
		}
	}
	return words
}
