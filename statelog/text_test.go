package statelog_test

import (
	"encoding"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
)

// The numbers and texts are in logs, so they never change.
func TestTextsAndNumbersStay(t *testing.T) {
	t.Parallel()
	type value interface {
		fmt.Stringer
		encoding.TextMarshaler
	}
	for text, v := range map[string]value{
		"opened":         statelog.Kind(1),
		"resumed":        statelog.Kind(2),
		"intent":         statelog.Kind(3),
		"started":        statelog.Kind(4),
		"done":           statelog.Kind(5),
		"lost":           statelog.Kind(6),
		"notStarted":     statelog.Kind(7),
		"decided":        statelog.Kind(8),
		"closed":         statelog.Kind(9),
		"reopened":       statelog.Kind(10),
		"kill":           statelog.Decision(1),
		"hold":           statelog.Decision(2),
		"release":        statelog.Decision(3),
		"retry":          statelog.Decision(4),
		"failFast":       statelog.Decision(5),
		"abort":          statelog.Decision(6),
		"success":        statelog.Class(0),
		"failure":        statelog.Class(1),
		"timeLimit":      statelog.Class(2),
		"outOfMemory":    statelog.Class(3),
		"notRun":         statelog.Class(4),
		"badOutput":      statelog.Class(5),
		"panicked":       statelog.Class(6),
		"killed":         statelog.Class(7),
		"infrastructure": statelog.Class(8),
		"poison":         statelog.Class(9),
		"interrupted":    statelog.Class(10),
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, text, v.String())
			b, err := v.MarshalText()
			require.NoError(t, err)
			require.Equal(t, text, string(b))
		})
	}
	require.Equal(t, statelog.Reopened, statelog.Kind(10))
	require.Equal(t, statelog.Detached, statelog.Kind(11))
	require.Equal(t, statelog.Abort, statelog.Decision(6))
	require.Equal(t, statelog.Interrupted, statelog.Class(10))
}

func TestTextsAreReadBack(t *testing.T) {
	t.Parallel()
	for want := statelog.Opened; want <= statelog.Detached; want++ {
		var got statelog.Kind
		require.NoError(t, got.UnmarshalText([]byte(want.String())))
		require.Equal(t, want, got)
	}
	for want := statelog.Kill; want <= statelog.Abort; want++ {
		var got statelog.Decision
		require.NoError(t, got.UnmarshalText([]byte(want.String())))
		require.Equal(t, want, got)
	}
	for want := statelog.Success; want <= statelog.Interrupted; want++ {
		var got statelog.Class
		require.NoError(t, got.UnmarshalText([]byte(want.String())))
		require.Equal(t, want, got)
	}
}

func TestUnknownTextsAreErrors(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "Done", "done ", "Kind(5)", "gone"} {
		kind, decision, class := statelog.Done, statelog.Hold, statelog.Failure
		require.Error(t, kind.UnmarshalText([]byte(text)), "%q", text)
		require.Error(t, decision.UnmarshalText([]byte(text)), "%q", text)
		require.Error(t, class.UnmarshalText([]byte(text)), "%q", text)
		require.Equal(t, statelog.Done, kind, "left alone")
	}
	require.Equal(t, "Kind(0)", statelog.Kind(0).String())
	require.Equal(t, "Decision(200)", statelog.Decision(200).String())
	require.Equal(t, "Class(11)", statelog.Class(11).String())
	_, err := statelog.Kind(0).MarshalText()
	require.Error(t, err)
	_, err = statelog.Decision(0).MarshalText()
	require.Error(t, err)
	_, err = statelog.Class(99).MarshalText()
	require.Error(t, err)
}
