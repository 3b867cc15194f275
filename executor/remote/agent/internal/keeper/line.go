package keeper

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The daemon tells the keeper one thing a line:
//
//	w KEY SESSION LENGTH CONTACT
//	h SESSION CONTACT
//	d KEY
//
// Times are in nanoseconds. Keys and sessions have no spaces in them.

func watchLine(key string, l lease) string {
	return fmt.Sprintf("w %s %s %d %d\n", key, l.session, l.length, l.contact)
}

func hearLine(session string, contact time.Duration) string {
	return fmt.Sprintf("h %s %d\n", session, contact)
}

func doneLine(key string) string { return "d " + key + "\n" }

// take notes what a line says. What cannot be read was cut short when the daemon died.
func (b *book) take(line string) {
	words := strings.Fields(line)
	number := func(i int) time.Duration {
		n, err := strconv.ParseInt(words[i], 10, 64)
		if err != nil {
			return 0
		}
		return time.Duration(n)
	}
	switch {
	case len(words) == 5 && words[0] == "w":
		b.watch(words[1], lease{session: words[2], length: number(3), contact: number(4)})
	case len(words) == 3 && words[0] == "h":
		b.hear(words[1], number(2))
	case len(words) == 2 && words[0] == "d":
		b.done(words[1])
	}
}
