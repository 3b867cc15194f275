package streamlog

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The limit that Decode has is too large to be reached in a test.
func TestLinesHaveALimit(t *testing.T) {
	t.Parallel()
	endless := bufio.NewReader(endlessReader{})
	_, err := readLine(endless, 100_000)
	require.ErrorContains(t, err, "100000", "the limit")

	line, err := readLine(bufio.NewReader(strings.NewReader("short\r\n")), 100_000)
	require.NoError(t, err)
	require.Equal(t, "short", string(line))
}

// An endlessReader never ends its line.
type endlessReader struct{}

var _ io.Reader = endlessReader{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
