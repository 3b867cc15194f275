package integration_test

import (
	_ "modernc.org/sqlite" // driver "sqlite"
)
