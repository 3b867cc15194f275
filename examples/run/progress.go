package main

import (
	"io"

	"github.com/daggy-go/daggy/runner"
)

func (o *options) observers(stderr io.Writer) []runner.Observer { return nil }
