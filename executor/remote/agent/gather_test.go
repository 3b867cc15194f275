package agent

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// write has so many changes be there when a stream writes.
func (g *gathering) write(news, open int, timely bool) {
	g.news = news
	g.collected(open, timely)
}

// Of few attempts each end is told at once.
func TestNothingIsGathered(t *testing.T) {
	t.Parallel()
	g := gathering{enough: 1}
	for range 100 {
		g.write(1, 2*gatherPart-1, true)
		require.Equal(t, 1, g.enough)
	}
}

// Of many several are told together, for as long as they come.
func TestGathered(t *testing.T) {
	t.Parallel()
	g := gathering{enough: 1}
	for range 100 {
		g.write(4, 4*gatherPart, true)
		require.Equal(t, 4, g.enough)
	}
	// What was written on account of something else says nothing.
	g.write(1, 4*gatherPart, true)
	require.Equal(t, 4, g.enough)
	// Where many come together by themselves nothing has to be gathered.
	g.write(9, 4*gatherPart, true)
	require.Equal(t, 1, g.enough)
	g.write(8, 4*gatherPart, true)
	require.Equal(t, 4, g.enough)
	// Nothing to act on begins no gathering.
	g.write(0, 4*gatherPart, true)
	require.Equal(t, 1, g.enough)
}

// If too little comes in time, nothing is gathered for a while, which gets longer.
func TestGatheredForNothing(t *testing.T) {
	t.Parallel()
	g := gathering{enough: 1}
	for pause := leastUnpaid; pause <= 2*mostUnpaid; pause *= 2 {
		g.write(1, 4*gatherPart, true)
		require.Equal(t, 4, g.enough)
		g.write(1, 4*gatherPart, false)
		for range min(pause, mostUnpaid) - 1 {
			require.Equal(t, 1, g.enough)
			g.write(1, 4*gatherPart, true)
		}
		require.Equal(t, 1, g.enough)
	}
	g.write(1, 4*gatherPart, true)
	g.write(4, 4*gatherPart, true)
	require.Equal(t, 4, g.enough)
	g.write(3, 4*gatherPart, false)
	require.Equal(t, leastUnpaid, g.unpaid, "once it was for something it begins anew")
}
