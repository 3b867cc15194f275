package capacity_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/capacity"
	"github.com/daggy-go/daggy/dag"
)

// A lease goes to the node where it has the least impact: here 25 %, 50 % and
// 20 % of what is free.
func Example() {
	const gib = 1024
	a := capacity.New(
		capacity.Node{Name: "n1", Total: capacity.Resources{dag.Cores: 70, dag.MemoryMB: 20 * gib}},
		capacity.Node{Name: "n2", Total: capacity.Resources{dag.Cores: 4, dag.MemoryMB: 80 * gib}},
		capacity.Node{Name: "n3", Total: capacity.Resources{dag.Cores: 10, dag.MemoryMB: 30 * gib}},
	)
	req := capacity.Resources{dag.Cores: 2, dag.MemoryMB: 5 * gib}
	lease, err := a.Allocate(context.Background(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lease.Release()
	fmt.Println(lease.Node(), lease.Resources())
	// Output: n3 map[cores:2 memoryMB:5120]
}

// A refusal says what is missing and whether waiting can help.
func ExampleRefusedError() {
	a := capacity.New(capacity.Node{
		Name:  "n1",
		Total: capacity.Resources{dag.Cores: 8, dag.MemoryMB: 32768},
	})
	ask := func(req capacity.Resources) {
		_, err := a.TryAllocate(req)
		if r, ok := errors.AsType[*capacity.RefusedError](err); ok {
			fmt.Printf("never: %v, because it %v\n", r.Never, r)
		}
	}
	ask(capacity.Resources{dag.MemoryMB: 40960})
	a.Restore("n1", capacity.Resources{dag.Cores: 6})
	ask(capacity.Resources{dag.Cores: 4})
	// Output:
	// never: true, because it needs 40960 memoryMB, the largest node has 32768
	// never: false, because it needs 4 cores, at most 2 are free (node "n1")
}

// A scheduler prepares a Request for each kind of job. It asks again when it
// is notified, and leaves the line when it has no such job any more.
func ExampleRequest() {
	a := capacity.New(capacity.Node{Name: "n1", Total: capacity.Resources{dag.Cores: 2}})
	wake := make(chan struct{}, 1)
	stop := a.Notify(func() {
		select {
		case wake <- struct{}{}:
		default: // has not been seen yet, and stands for this one too
		}
	})
	defer stop()
	request, err := a.Prepare(capacity.Resources{dag.Cores: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer request.Leave()

	first, _ := request.TryAllocate()
	if _, err := request.TryAllocate(); err != nil {
		fmt.Println(err)
	}
	first.Release()
	<-wake
	second, err := request.TryAllocate()
	fmt.Println(second.Node(), err)
	// Output:
	// needs 2 cores, at most 0 are free (node "n1")
	// n1 <nil>
}

// A draining node finishes what it has and gets nothing new.
func ExampleAllocator_Drain() {
	a := capacity.New(
		capacity.Node{Name: "n1", Total: capacity.Resources{dag.Cores: 8}},
		capacity.Node{Name: "n2", Total: capacity.Resources{dag.Cores: 2}},
	)
	before, _ := a.TryAllocate(nil)
	a.Drain("n1")
	after, _ := a.TryAllocate(nil)
	fmt.Println(before.Node(), after.Node())
	for _, n := range a.Nodes() {
		fmt.Println(n.Name, n.Free, n.Leases, n.Draining)
	}
	// Output:
	// n1 n2
	// n1 map[cores:7] 1 true
	// n2 map[cores:1] 1 false
}
