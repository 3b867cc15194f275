package wire

import "strconv"

// A BadError says what is wrong with a text that was to be read.
type BadError struct {
	// Field is the member that is wrong, such as "job.command[2]". "": the whole.
	Field string
	Text  string
}

func (e *BadError) Error() string {
	if e.Field == "" {
		return e.Text
	}
	return e.Field + ": " + e.Text
}

func bad(field, text string) *BadError { return &BadError{field, text} }

// shorten keeps a name that somebody sent from filling an error.
func shorten(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.Quote(s)
}
