package redislog_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/redislog"
)

func Example() {
	server, err := miniredis.Run() // in place of a Redis server
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer func() { _ = client.Close() }()

	log, err := redislog.New(client, redislog.Config{Prefix: "reports"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = log.Close() }()
	ctx := context.Background()
	end, err := log.Append(ctx, "r1", 0, []statelog.Record{
		{Kind: statelog.Opened, Opened: &statelog.Opening{Version: statelog.Version}},
		{Kind: statelog.Intent, Task: 0, Attempt: 1},
	})
	fmt.Println(end, err)
	for rec, err := range log.Read(ctx, "r1", 1) {
		fmt.Println(rec.Seq, rec.Kind, err)
	}
	// Output:
	// 2 <nil>
	// 2 intent <nil>
}
