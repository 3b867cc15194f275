package capacity

import "io/fs"

// LinuxResources is what Detect and DetectDaemon return on a Linux machine
// that says about itself what is in root.
func LinuxResources(root fs.FS, cpus int) (embedded, daemon Resources, err error) {
	m, err := linuxMachine(root, cpus)
	if err != nil {
		return nil, nil, err
	}
	return m.embedded(), m.daemon(), nil
}
