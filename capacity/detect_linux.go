package capacity

import (
	"os"
	"runtime"
)

func detect() (machine, error) {
	return linuxMachine(os.DirFS("/"), runtime.NumCPU())
}
