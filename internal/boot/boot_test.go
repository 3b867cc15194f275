package boot_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/daggy-go/daggy/internal/boot"
)

func TestSince(t *testing.T) {
	t.Parallel()
	before := boot.Since()
	<-time.After(time.Millisecond)
	require.Greater(t, boot.Since(), before)
}
