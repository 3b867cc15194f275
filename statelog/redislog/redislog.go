package redislog

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-multierror"
	"github.com/redis/go-redis/v9"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/internal/lease"
)

// Config says how a log is kept. The zero Config works.
type Config struct {
	// Prefix starts the names of all keys: "daggy" makes "{daggy}:run:r1". Logs
	// with different prefixes know nothing of each other, and are in different
	// slots of a cluster. No braces. "": daggy.
	Prefix string
	// Lease is for how long a lock is given at a time, and the longest that
	// anyone waits for the run of an engine that died. 0: 30 s.
	Lease time.Duration
	// Replicas is how many replicas must have the records before Append returns.
	// Fewer is ErrAmbiguous. Not for clusters. 0: the server alone.
	Replicas int
	// ReplicaTimeout is how long Append waits for them. It is less than the
	// client's ReadTimeout. 0: 1 s.
	ReplicaTimeout time.Duration
	// NoDocuments keeps the log from writing the documents that other programs
	// read, see DOCUMENTS.md. They take more memory and time of the server than
	// the records do, though not of Append.
	NoDocuments bool
	// Logger is told what nobody waits for: documents that cannot be written.
	// Nil: nobody is.
	Logger *slog.Logger
}

// A Log keeps the records of runs in Redis. Use [New]. It is safe for concurrent
// use by any number of programs.
type Log struct {
	client         redis.UniversalClient
	keys           keys
	replicas       int
	replicaTimeout time.Duration
	logger         *slog.Logger

	id     [8]byte       // random, starts every nonce
	count  atomic.Uint64 // of batches
	memory memory

	leases    *lease.Keeper
	documents *documents // nil: none are written
	close     func() error
}

var (
	_ statelog.StateLogger = (*Log)(nil)
	_ statelog.Locker      = (*Log)(nil)
	_ statelog.Leased      = (*Log)(nil)
	_ statelog.Pruner      = (*Log)(nil)
)

// New returns a log in what client connects to. It asks nothing of the server
// yet. The client stays the program's, to be closed after the log.
//
// Everything in c and about the client that cannot be is reported at once. A
// [redis.Ring] and a cluster client that reads from replicas are ErrUnsuited:
// the one would look for a run elsewhere while a server is away, and the other
// would not find what was just acknowledged.
func New(client redis.UniversalClient, c Config) (*Log, error) {
	if err := c.check(client); err != nil {
		return nil, fmt.Errorf("redislog: %w", err)
	}
	l := &Log{
		client: client, replicas: c.Replicas, replicaTimeout: c.ReplicaTimeout, logger: c.Logger,
	}
	// It never fails.
	_, _ = rand.Read(l.id[:])
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	id := hex.EncodeToString(l.id[:])
	l.keys = newKeys(c.Prefix, id)
	l.leases = lease.New(locks{log: l, id: id, lease: c.Lease}, c.Lease, c.Lease*2/3)
	if !c.NoDocuments {
		l.documents = newDocuments(l)
	}
	l.close = sync.OnceValue(l.closeAll)
	return l, nil
}

// check sets what is left out and reports what cannot be.
func (c *Config) check(client redis.UniversalClient) error {
	if c.Prefix == "" {
		c.Prefix = "daggy"
	}
	if c.Lease == 0 {
		c.Lease = 30 * time.Second
	}
	if c.ReplicaTimeout == 0 {
		c.ReplicaTimeout = time.Second
	}
	var found *multierror.Error
	problem := func(format string, args ...any) {
		found = multierror.Append(found, fmt.Errorf(format, args...))
	}
	if strings.ContainsAny(c.Prefix, "{}") {
		problem("Prefix %q has braces, which Redis Cluster would read", c.Prefix)
	}
	if c.Lease < minLease {
		problem("Lease is %v and must be %v or more", c.Lease, minLease)
	}
	if c.Replicas < 0 {
		problem("Replicas is %d", c.Replicas)
	}
	if c.ReplicaTimeout < time.Millisecond {
		problem("ReplicaTimeout is %v and must be a millisecond or more", c.ReplicaTimeout)
	}
	for _, err := range c.unsuited(client) {
		found = multierror.Append(found, err)
	}
	return found.ErrorOrNil()
}

func (c *Config) unsuited(client redis.UniversalClient) (found []error) {
	unsuited := func(why string) { found = append(found, fmt.Errorf("%w: %s", ErrUnsuited, why)) }
	switch client := client.(type) {
	case nil:
		unsuited("it is nil")
	case *redis.Ring:
		unsuited("a Ring looks for a run on another server while the run's is away")
	case *redis.ClusterClient:
		o := client.Options()
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			unsuited("it reads from replicas, which lag behind")
		}
		if c.Replicas > 0 {
			unsuited("Replicas is not for clusters")
		}
	case *redis.Client:
		if limit := client.Options().ReadTimeout; c.Replicas > 0 && limit > 0 &&
			c.ReplicaTimeout >= limit {
			unsuited(fmt.Sprintf("its ReadTimeout, %v, is not more than ReplicaTimeout, %v",
				limit, c.ReplicaTimeout))
		}
	}
	return found
}

// Close ends the renewing of locks that were not released, writes the documents
// that are behind, and waits for both. What it cannot write within 5 seconds is
// an error and is written by the next Log that appends with this prefix. It may be
// called more than once. The client stays open.
func (l *Log) Close() error { return l.close() }

func (l *Log) closeAll() error {
	l.leases.Close()
	if l.documents == nil {
		return nil
	}
	return l.documents.close()
}

// nonce returns the name of a batch, unique for ever.
func (l *Log) nonce() (nonce string, count uint64) {
	count = l.count.Add(1)
	b := binary.BigEndian.AppendUint64(l.id[:len(l.id):len(l.id)], count)
	return string(b), count
}

// settle makes sure that what was sent to the run and never answered is there or
// never will be.
func (l *Log) settle(ctx context.Context, run string) error {
	count := l.memory.toSettle(run)
	if count == 0 {
		return nil
	}
	// No connection delivers anything after a day.
	const keep = 24 * time.Hour
	_, err := l.do(ctx, call{
		script: settleScript, keys: []string{l.keys.late},
		args: []any{run, count, keep.Milliseconds()}, replicas: l.replicas > 0,
	})
	if err != nil {
		return fmt.Errorf("after an append without an answer: %w", err)
	}
	l.memory.settled(run, count)
	return nil
}

// cause prefers what ended ctx to what the client makes of it.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}
