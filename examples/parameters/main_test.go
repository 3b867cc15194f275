package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// D2, D4: three instances, numbered from 1 in the order of the list, between
// the two tasks that do not refer to it.
func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, `completed populate_inputs
completed calc_date_1
completed calc_date_2
completed calc_date_3
completed generate_report
generate_report found:
2021-01-01
2021-02-01
2021-03-01
`, out.String())
}
