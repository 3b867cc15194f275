package sqllog_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/daggy-go/daggy/statelog"
	"github.com/daggy-go/daggy/statelog/sqllog"
)

// The program imports the driver, here that of github.com/jackc/pgx/v5/stdlib.
func ExampleOpen() {
	ctx := context.Background()
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(16)
	log, err := sqllog.Open(ctx, db, sqllog.Config{Dialect: sqllog.Postgres})
	if err != nil {
		panic(err)
	}

	failed := statelog.Query{
		Tags:   map[string]string{"team": "blue"},
		States: []string{"failed"},
		Since:  time.Now().AddDate(0, 0, -7),
	}
	for run, err := range log.Runs(ctx, failed) {
		if err != nil {
			panic(err)
		}
		fmt.Println(run.Run, run.Closed)
	}
	if _, err := log.Prune(ctx, statelog.Retention{Age: 90 * 24 * time.Hour}); err != nil {
		panic(err)
	}
}
