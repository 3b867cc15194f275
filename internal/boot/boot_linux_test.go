package boot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/boot"
)

func TestID(t *testing.T) {
	t.Parallel()
	require.Regexp(t, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", boot.ID())
}
