package slurm

import (
	"os/user"
	"strconv"

	"github.com/daggy-go/daggy/internal/invocation"
)

// DefaultEnv returns the names of the variables that commands get from this
// process unless [Config] says otherwise: who and where the user is, the
// language, and where programs are. The slice is the caller's.
func DefaultEnv() []string {
	return []string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ"}
}

// inherit returns the entries of environ that have one of the names.
func inherit(names, environ []string) []string {
	if names == nil {
		names = DefaultEnv()
	}
	return invocation.Inherit(names, environ)
}

// identity returns the variables that say who another user is: a job would have those of
// this process, which is root. One that is not known here is called by the number.
func identity(uid int) []string {
	if uid < 0 {
		return nil
	}
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		u = &user.User{HomeDir: "/", Username: strconv.Itoa(uid)}
	}
	return []string{"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username}
}
