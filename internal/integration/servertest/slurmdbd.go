package servertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// configureAccounting writes slurmdbd.conf.
func (s *Slurm) configureAccounting(tb testing.TB, port string) {
	tb.Helper()
	lines := []string{
		"AuthType=auth/munge", "AuthInfo=socket=" + s.path("munge", "sock"),
		"DbdHost=localhost", "DbdAddr=127.0.0.1", "DbdPort=" + port,
		"CommunicationParameters=NoInAddrAny", "SlurmUser=root",
		"PidFile=" + s.path("slurmdbd.pid"), "StorageType=accounting_storage/mysql",
		"StorageHost=localhost", "StorageUser=slurm", "StoragePass=slurm",
		"StorageLoc=slurm_acct_db",
	}
	conf := []byte(strings.Join(lines, "\n") + "\n")
	require.NoError(tb, os.WriteFile(s.path("slurmdbd.conf"), conf, 0o600))
}

// startAccounting starts MariaDB and slurmdbd, and waits until that answers.
func (s *Slurm) startAccounting(tb testing.TB) {
	tb.Helper()
	s.bin["mariadbd"] = program(tb, "mariadb-server", "/usr/sbin/mariadbd")
	s.bin["slurmdbd"] = program(tb, "slurmdbd", "/usr/sbin/slurmdbd")
	db, socket := s.path("db"), s.path("db", "sock")
	require.NoError(tb, os.Mkdir(db, 0o755))
	command(tb, s.dir, nil, "chown", "mysql", db)
	command(tb, s.dir, nil, "mariadb-install-db", "--user=mysql", "--datadir="+db,
		"--auth-root-authentication-method=normal", "--skip-test-db")
	maria := s.start(tb, "mariadbd", "--no-defaults", "--user=mysql", "--datadir="+db,
		"--socket="+socket, "--skip-networking", "--skip-log-bin",
		"--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900")
	s.accounting = append(s.accounting, maria)
	maria.await(tb, s.path("log", "mariadbd"), func(ctx context.Context) error {
		cmd := exec.CommandContext(ctx, "mariadb", "--no-defaults", "-uroot", "-S", socket, "-e",
			"create user slurm@localhost identified by 'slurm';"+
				" grant all on slurm_acct_db.* to slurm@localhost")
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	})
	s.environ = append(s.environ, "MYSQL_UNIX_PORT="+socket)
	dbd := s.start(tb, "slurmdbd", "-D")
	s.accounting = append(s.accounting, dbd)
	dbd.await(tb, s.path("log", "slurmdbd"), func(ctx context.Context) error {
		_, err := s.Output(ctx, "sacctmgr", "--noheader", "--immediate", "show", "cluster")
		return err
	})
}
