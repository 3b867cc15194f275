package httpguard

import (
	"fmt"
	"strconv"
)

// A Role is what a caller may do and what a route needs. Each includes those
// before it.
type Role uint8

// The roles. The zero Role is nobody's: it may do nothing, and no route can have
// it.
const (
	nobody Role = iota
	Public      // of routes only: whoever can connect
	Read        // look
	Submit      // and have something done
	Admin       // and change how the daemon works
)

var roleNames = [...]string{"nobody", "public", "read", "submit", "admin"}

// String returns the name, in lower case.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return "role " + strconv.Itoa(int(r))
}

// ParseRole returns the role of a caller with this name: read, submit or admin.
func ParseRole(name string) (Role, error) {
	for r := Read; r <= Admin; r++ {
		if name == roleNames[r] {
			return r, nil
		}
	}
	return nobody, fmt.Errorf("unknown role %q: want read, submit or admin", name)
}

// MarshalText is for JSON and flags.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText is [ParseRole].
func (r *Role) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRole(string(text))
	return err
}
