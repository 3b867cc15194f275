package capacity
type Allocator struct{}
