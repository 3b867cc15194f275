package evidence

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Every state of Slurm's, one by one, so that a change of any of them shows.
func TestStates(t *testing.T) {
	t.Parallel()
	want := map[string]State{
		"PENDING": {Waiting, NoFate}, "CONFIGURING": {Waiting, NoFate},
		"REQUEUED": {Waiting, NoFate}, "REQUEUE_FED": {Waiting, NoFate},
		"REQUEUE_HOLD": {Waiting, NoFate}, "SPECIAL_EXIT": {Waiting, NoFate},
		"RESV_DEL_HOLD": {Waiting, NoFate}, "EXPEDITING": {Waiting, NoFate},
		"POWER_UP_NODE": {Waiting, NoFate},
		"RUNNING":       {Active, NoFate}, "SUSPENDED": {Active, NoFate},
		"STOPPED": {Active, NoFate}, "RESIZING": {Active, NoFate},
		"SIGNALING": {Active, NoFate}, "STAGE_OUT": {Active, NoFate},
		"COMPLETING": {Active, NoFate}, "UPDATE_DB": {Active, NoFate},
		"RECONFIG": {Active, NoFate}, "RECONFIGURED": {Active, NoFate},
		"COMPLETED": {Ended, Vanished}, "FAILED": {Ended, Vanished},
		"CANCELLED": {Ended, Cancelled}, "TIMEOUT": {Ended, OverTime},
		"DEADLINE": {Ended, OverTime}, "OUT_OF_MEMORY": {Ended, OverMemory},
		"NODE_FAIL": {Ended, Broken}, "PREEMPTED": {Ended, Broken},
		"BOOT_FAIL": {Ended, Broken}, "LAUNCH_FAILED": {Ended, Broken},
		"RECONFIG_FAIL": {Ended, Broken}, "REVOKED": {Unknown, NoFate},
	}
	for word, state := range want {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, state, Lookup(word))
		})
	}
	require.Len(t, states, len(want), "a state has no test")
}

// What is not known, or cut short, or in another case, means nothing.
func TestUnknownStates(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		"", " ", "COMPLETE", "COMPLETED+", "OUT_OF_ME+", "completed", "CD", "DONE",
		"RUNNING,COMPLETED", "ABGESCHLOSSEN", "0", "UNKNOWN",
	} {
		require.Equal(t, State{}, Lookup(word), word)
	}
	require.Equal(t, State{Ended, Cancelled}, Lookup("CANCELLED by 1000"), "as sacct says it")
}
