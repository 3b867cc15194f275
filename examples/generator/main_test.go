package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// D7: generate_report was there before the tasks that it waits for, and finds
// what they have made.
func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `completed pull_files
completed generate_report
completed calc_date_a
completed calc_date_b
generate_report found:
a
a.result
b
b.result
`, out.String())
}
