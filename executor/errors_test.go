package executor_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
)

func TestErrorsUnwrap(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"lost (E3)":        &executor.LostError{Err: io.EOF},
		"not started (E4)": &executor.NotStartedError{RetryAfter: time.Second, Err: io.EOF},
		"permanent (E1)":   executor.Permanent(io.EOF),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, fmt.Errorf("around: %w", err), io.EOF)
			require.ErrorContains(t, err, io.EOF.Error())
		})
	}
}

func TestPermanent(t *testing.T) {
	t.Parallel()
	require.NoError(t, executor.Permanent(nil))
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"nil":     {nil, false},
		"plain":   {io.EOF, false},
		"marked":  {executor.Permanent(io.EOF), true},
		"wrapped": {fmt.Errorf("around: %w", executor.Permanent(io.EOF)), true},
		"joined":  {errors.Join(io.EOF, executor.Permanent(io.EOF)), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, executor.IsPermanent(test.err))
		})
	}
}

// TestPanicErrorIsNoOther: R4 counts a panic as the task's failure.
func TestPanicErrorIsNoOther(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]error{
		"lost":      &executor.LostError{Err: io.EOF},
		"permanent": executor.Permanent(io.EOF),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var err error = &executor.PanicError{Value: value}
			require.EqualError(t, err, "panic: "+value.Error())
			require.NotErrorIs(t, err, io.EOF)
			require.False(t, executor.IsPermanent(err))
		})
	}
}
