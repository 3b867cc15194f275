package dag

// plainText reports whether s is printable ASCII, as nearly all texts are: then
// no more has to be looked at.
func plainText(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	// Eight bytes at a time. If all are good, no operation carries from one to
	// the next, and none sets a high bit.
	for ; len(s) >= 8; s = s[8:] {
		x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		if (x|(x-' '*ones)|(x+('\x7f'-'~')*ones))&high != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
