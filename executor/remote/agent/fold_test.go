package agent_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/executor"
	"github.com/daggy-go/daggy/executor/remote/agent"
	"github.com/daggy-go/daggy/statelog"
)

// When a journal was begun anew between the end of an attempt and its record, the record
// of its end comes after that of its acknowledgement. The executor is told all the same
// that it may forget it.
func TestEndAfterAcknowledgement(t *testing.T) {
	t.Parallel()
	owed, err := agent.FoldOwed(
		statelog.Record{
			Kind: statelog.Decided, Decision: statelog.Release, Output: []byte("k"),
		},
		statelog.Record{Kind: statelog.Done, Ref: "k", Result: &executor.Result{}},
	)
	require.NoError(t, err)
	require.Equal(t, []string{"k"}, owed)
}
