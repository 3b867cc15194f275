package progress

import "fmt"

// Mode says how progress is shown.
type Mode int

// The modes. Their texts, for flags and configuration, are "auto", "live",
// "lines" and "off".
const (
	// Auto is Live on a terminal and Lines elsewhere.
	Auto Mode = iota
	// Live draws one block over and over, whatever the output is.
	Live
	// Lines writes a line now and then, and one at the end.
	Lines
	// Off shows nothing.
	Off
)

var modeNames = [...]string{Auto: "auto", Live: "live", Lines: "lines", Off: "off"}

func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return modeNames[m]
}

// MarshalText returns the text of a mode.
func (m Mode) MarshalText() ([]byte, error) {
	if m < 0 || int(m) >= len(modeNames) {
		return nil, fmt.Errorf("progress: there is no mode %d", int(m))
	}
	return []byte(modeNames[m]), nil
}

// UnmarshalText makes a mode of its text, so that [flag.TextVar] takes one.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modeNames {
		if name == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("progress: unknown mode %q, use auto, live, lines or off", text)
}
