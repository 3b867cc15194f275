package dag

import "slices"

// An adjacency is a list of indices for each task, in compressed sparse rows.
type adjacency struct {
	// The list of task i is flat[starts[i]:starts[i+1]]. Both are nil as long
	// as no task has a list.
	starts []int32
	flat   []int32
	// grown has the lists of tasks that got more after they were laid out.
	grown map[int32][]int32
}

func (a *adjacency) of(i int) []int32 {
	if len(a.grown) > 0 {
		if list, ok := a.grown[int32(i)]; ok {
			return list[:len(list):len(list)]
		}
	}
	if a.starts == nil {
		return nil
	}
	from, to := a.starts[i], a.starts[i+1]
	return a.flat[from:to:to]
}

// transpose returns the same edges seen from the other end, for n tasks. Its
// lists are sorted, whatever the order of a's are, and hold an edge once.
func (a *adjacency) transpose(n int) adjacency {
	starts := make([]int32, n+1)
	for _, j := range a.flat {
		starts[j+1]++
	}
	for j := range n {
		starts[j+1] += starts[j]
	}
	flat, ends := make([]int32, len(a.flat)), slices.Clone(starts[:n])
	for i := range n {
		for _, j := range a.flat[a.starts[i]:a.starts[i+1]] {
			// Rows come in order, so that a second edge follows the first.
			at := ends[j]
			if at > starts[j] && flat[at-1] == int32(i) {
				continue
			}
			flat[at] = int32(i)
			ends[j] = at + 1
		}
	}
	t := adjacency{starts: starts, flat: flat}
	t.compact(ends)
	return t
}

// compact closes the gaps between lists that end at ends.
func (a *adjacency) compact(ends []int32) {
	at := int32(0)
	for i, end := range ends {
		from := a.starts[i]
		if from != at {
			copy(a.flat[at:], a.flat[from:end])
		}
		a.starts[i] = at
		at += end - from
	}
	a.starts[len(ends)] = at
	if int(at) < len(a.flat) {
		a.flat = slices.Clone(a.flat[:at])
	}
}
