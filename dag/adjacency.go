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

// transpose returns the same edges seen from the other end, in sorted lists.
func (a *adjacency) transpose() adjacency {
	n := len(a.starts) - 1
	// At first next[j+1] is where the next entry for j goes, so that in the end
	// it is where the list of j ends.
	next := make([]int32, n+2)
	for _, j := range a.flat {
		next[j+2]++
	}
	for j := range n {
		next[j+2] += next[j+1]
	}
	flat := make([]int32, len(a.flat))
	for i := range n {
		for _, j := range a.flat[a.starts[i]:a.starts[i+1]] {
			flat[next[j+1]] = int32(i)
			next[j+1]++
		}
	}
	return adjacency{starts: next[:n+1], flat: flat}
}

// sort sorts the lists and drops what is there twice, in linear time: short
// lists one by one. But if there is a long one, all of them are turned around,
// and back.
func (a *adjacency) sort() {
	for i := range len(a.starts) - 1 {
		list := a.flat[a.starts[i]:a.starts[i+1]]
		if !tidy(list) && len(list) > shortList {
			there := a.transpose()
			there.compact()
			*a = there.transpose()
			return
		}
	}
	a.compact()
}

const shortList = 16

// tidy sorts a short list, and reports whether it is in ascending order now,
// with nothing there twice.
func tidy(list []int32) bool {
	good := true
	for k := 1; k < len(list); k++ {
		if good = good && list[k-1] < list[k]; good {
			continue
		}
		if len(list) > shortList {
			return false
		}
		for at := k; at > 0 && list[at] < list[at-1]; at-- {
			list[at], list[at-1] = list[at-1], list[at]
		}
	}
	for k := 1; k < len(list) && !good; k++ {
		if list[k-1] == list[k] {
			return false
		}
	}
	return true
}

// compact drops what is twice in a sorted list.
func (a *adjacency) compact() {
	at, from := int32(0), int32(0)
	for i := range len(a.starts) - 1 {
		first, end := at, a.starts[i+1]
		for _, j := range a.flat[from:end] {
			if at == first || a.flat[at-1] != j {
				a.flat[at] = j
				at++
			}
		}
		from, a.starts[i+1] = end, at
	}
	// Where little was dropped, a copy would not be worth it.
	if a.flat = a.flat[:at]; cap(a.flat)-len(a.flat) > len(a.flat)/8 {
		a.flat = slices.Clone(a.flat)
	}
}
