package fork

import "sync"

func newWatch(p *child, buffers *sync.Pool) watch { return newCopiers(p, buffers) }
