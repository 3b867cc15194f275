package redislog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

// rewound expects the log to refuse whatever is asked about the run.
func rewound(t *testing.T, log *redislog.Log, run string, after uint64) {
	t.Helper()
	_, err := log.Append(t.Context(), run, after, []statelog.Record{task(9)})
	require.ErrorIs(t, err, statelog.ErrLogRewound)
	require.NotErrorIs(t, err, statelog.ErrFenced)
	yielded := 0
	for _, err := range log.Read(t.Context(), run, 0) {
		yielded++
		require.ErrorIs(t, err, statelog.ErrLogRewound)
	}
	require.Equal(t, 1, yielded)
}

func TestEmptiedServerIsARewoundLog(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, log, "run", 0, opened(), task(1))
	server.FlushAll()
	rewound(t, log, "run", 2)
	rewound(t, log, "run", 0)

	anew := open(t, client, redislog.Config{NoDocuments: true})
	_, err := anew.Append(t.Context(), "run", 2, []statelog.Record{task(1)})
	require.ErrorIs(t, err, statelog.ErrNoRun, "a new Log knows nothing of it")
}

// A run that only was read is remembered too.
func TestReadRunIsRemembered(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	appended(t, open(t, client, redislog.Config{NoDocuments: true}), "run", 0, opened(), task(1))
	log := open(t, client, redislog.Config{NoDocuments: true})
	require.Equal(t, []int{0, 1}, read(t, log, "run"))
	server.FlushAll()
	rewound(t, log, "run", 2)
}

// Another engine's run of the same length is not this one.
func TestRewrittenRunIsARewoundLog(t *testing.T) {
	t.Parallel()
	server, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, log, "run", 0, opened(), task(1))
	for _, longer := range []bool{false, true} {
		server.FlushAll()
		other := open(t, client, redislog.Config{NoDocuments: true})
		appended(t, other, "run", 0, opened(), task(2))
		if longer {
			appended(t, other, "run", 2, task(3))
		}
		rewound(t, log, "run", 2)
		rewound(t, log, "run", 3)
	}
}

// A run that goes on by another engine is not one that was rewound.
func TestFencedIsNotRewound(t *testing.T) {
	t.Parallel()
	_, client := connect(t)
	log := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, log, "run", 0, opened(), task(1))
	other := open(t, client, redislog.Config{NoDocuments: true})
	appended(t, other, "run", 2, task(2), task(3))
	_, err := log.Append(t.Context(), "run", 2, []statelog.Record{task(9)})
	require.ErrorIs(t, err, statelog.ErrFenced)
	require.NotErrorIs(t, err, statelog.ErrLogRewound)
	require.Equal(t, []int{0, 1, 2, 3}, read(t, log, "run"))
}
