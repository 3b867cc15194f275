package redislog

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
)

//go:embed append.lua
var appendSource string

//go:embed read.lua
var readSource string

//go:embed settle.lua
var settleSource string

//go:embed prune.lua
var pruneSource string

//go:embed documents.lua
var documentsSource string

//go:embed undocument.lua
var undocumentSource string

//go:embed lock.lua
var lockSource string

//go:embed unlock.lua
var unlockSource string

var (
	appendScript     = newScript(appendSource)
	readScript       = newScript(readSource)
	settleScript     = newScript(settleSource)
	pruneScript      = newScript(pruneSource)
	documentsScript  = newScript(documentsSource)
	undocumentScript = newScript(undocumentSource)
	lockScript       = newScript(lockSource)
	unlockScript     = newScript(unlockSource)
)

// A script is sent by its hash, and whole if the server does not have it.
type script struct {
	source, hash string
}

func newScript(source string) script {
	sum := sha1.Sum([]byte(source))
	return script{source, hex.EncodeToString(sum[:])}
}

// A call is a script with what it is given.
type call struct {
	script script
	keys   []string
	args   []any
	// once keeps the client from sending it again by itself, so that the error
	// tells what became of it.
	once bool
	// replicas have to have what it wrote.
	replicas bool
}

// once is a command that the client sends one time only.
type once struct{ *redis.Cmd }

// NoRetry is asked by the client.
func (once) NoRetry() bool { return true }

func (c *call) command(ctx context.Context, name, script string) *redis.Cmd {
	args := make([]any, 0, 3+len(c.keys)+len(c.args))
	args = append(args, name, script, len(c.keys))
	for _, key := range c.keys {
		args = append(args, key)
	}
	return redis.NewCmd(ctx, append(args, c.args...)...)
}

// do calls a script and returns its answer.
func (l *Log) do(ctx context.Context, c call) ([]any, error) {
	cmd := c.command(ctx, "evalsha", c.script.hash)
	err := l.process(ctx, &c, cmd)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		cmd = c.command(ctx, "eval", c.script.source)
		err = l.process(ctx, &c, cmd)
	}
	if err != nil {
		return nil, err
	}
	return cmd.Slice()
}

func (l *Log) process(ctx context.Context, c *call, cmd *redis.Cmd) error {
	var cmder redis.Cmder = cmd
	if c.once {
		cmder = once{cmd}
	}
	if !c.replicas {
		return l.client.Process(ctx, cmder)
	}
	// WAIT is for what its own connection wrote.
	pipe := l.client.Pipeline()
	waited := redis.NewIntCmd(ctx, "wait", l.replicas, l.replicaTimeout.Milliseconds())
	_, _ = pipe.Process(ctx, cmder), pipe.Process(ctx, waited) // queues them
	_, err := pipe.Exec(ctx)
	switch {
	case cmd.Err() != nil:
		return cmd.Err()
	case err != nil:
		return err
	case waited.Val() < int64(l.replicas):
		return fmt.Errorf("%w: %d of %d", errReplicas, waited.Val(), l.replicas)
	}
	return nil
}

// notRun reports whether err, of something that was sent once, proves that the
// server has not run it and never will.
func notRun(err error) bool {
	var reply redis.Error
	var op *net.OpError
	switch {
	case errors.As(err, &reply):
		// The server answered, with an error.
		return true
	case errors.As(err, &op) && op.Op == "dial":
		return true
	}
	return errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrClosed)
}
