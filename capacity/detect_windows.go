package capacity

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// memoryStatus is MEMORYSTATUSEX, see sysinfoapi.h.
type memoryStatus struct {
	length                uint32
	load                  uint32
	totalPhysical         uint64
	availablePhysical     uint64
	totalPageFile         uint64
	availablePageFile     uint64
	totalVirtual          uint64
	availableVirtual      uint64
	availableExtendedVirt uint64
}

func detect() (machine, error) {
	// Package windows does not wrap this call.
	call := windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")
	if err := call.Find(); err != nil {
		return machine{}, err
	}
	var status memoryStatus
	status.length = uint32(unsafe.Sizeof(status))
	if ok, _, err := call.Call(uintptr(unsafe.Pointer(&status))); ok == 0 {
		return machine{}, fmt.Errorf("GlobalMemoryStatusEx: %w", err)
	}
	return machine{cores: int64(runtime.NumCPU()), memory: int64(status.totalPhysical)}, nil
}
