package httpguard_test

import (
	"io"
	"log/slog"
)

// logger logs everything.
func logger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
