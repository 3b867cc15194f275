package redislog

import (
	"errors"
	"fmt"

	"github.com/daggy-go/daggy/statelog"
)

// ErrUnsuited is the error of a client that cannot keep a log, whatever the
// server does.
var ErrUnsuited = errors.New("redislog: the client cannot keep a log")

// errReplicas: the records are on the server, and on too few others.
var errReplicas = errors.New("too few replicas have it")

// verdict makes an error of what a script answered.
func verdict(answer []any) error {
	switch text(answer, 0) {
	case "ok":
		return nil
	case "norun":
		return statelog.ErrNoRun
	case "fenced":
		return fmt.Errorf("it ends with record %s: %w", text(answer, 1), statelog.ErrFenced)
	case "rewound":
		return fmt.Errorf("it ends with record %s, or with others than were acknowledged: %w",
			text(answer, 1), statelog.ErrLogRewound)
	}
	return fmt.Errorf("the script answered %q", answer)
}

// text returns the i-th part of an answer, "" if there is none.
func text(answer []any, i int) string {
	if i >= len(answer) {
		return ""
	}
	s, _ := answer[i].(string)
	return s
}
