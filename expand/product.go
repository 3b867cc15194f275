package expand

import (
	"fmt"
	"math/bits"
	"strings"
)

// multiply computes the number of instances (D2): the product of the lengths of
// all lists, which is at most limit. Nothing of that size is allocated. It is 0
// if there are problems.
func (c *compiler) multiply(limit int) {
	t := c.out
	empty := false
	for _, r := range t.refs {
		empty = empty || r.value.Len() == 0
	}
	if empty {
		c.emptyLists()
		return
	}
	// The last one varies fastest, so that its step is 1 (D4).
	total, over := uint64(1), false
	for i := len(t.refs) - 1; i >= 0; i-- {
		r := &t.refs[i]
		if r.axis == noAxis {
			continue
		}
		r.step = int(total)
		high, low := bits.Mul64(total, uint64(r.value.Len()))
		if over = high != 0 || low > uint64(limit); over {
			c.tooMany(limit)
			return
		}
		total = low
	}
	t.count = int(total)
}

func (c *compiler) emptyLists() {
	for _, r := range c.out.refs {
		if r.value.Len() > 0 {
			continue
		}
		c.found.addNew(&problem{
			Task: c.task.Name, Field: "parameters." + r.name,
			Text: "the list is empty, so there would be no instances",
			Hint: "give it a value",
		})
	}
}

func (c *compiler) tooMany(limit int) {
	const most = 10
	var b strings.Builder
	total, overflow, lists := uint64(1), false, 0
	for _, r := range c.out.refs {
		if r.axis == noAxis {
			continue
		}
		high, low := bits.Mul64(total, uint64(r.value.Len()))
		total, overflow = low, overflow || high != 0
		switch lists++; {
		case lists == 1:
		case lists <= most:
			b.WriteString(" × ")
		case lists == most+1:
			b.WriteString(" × …")
		}
		if lists <= most {
			fmt.Fprintf(&b, "%s (%d)", r.name, r.value.Len())
		}
	}
	size := fmt.Sprint(total)
	if overflow {
		size = "more than 2⁶⁴"
	}
	c.found.add(&problem{
		Task:  c.task.Name,
		Field: "parameters",
		Text: fmt.Sprintf("%s makes %s instances of this task, the limit is %d",
			b.String(), size, limit),
		Hint: "shorten a list, refer to fewer of them, or raise Limits.Product",
	})
}
