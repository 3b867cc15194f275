package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/daggy-go/daggy/executor"
)

// Random draws behaviours: give its method Behave to [Config]. The rates are
// probabilities from 0 to 1, each for one attempt. The zero Random draws
// nothing: every attempt succeeds at once.
type Random struct {
	// Wait and Duration are drawn from these distributions. Nil: no time.
	Wait, Duration Distribution
	// NotStarted is the rate at which a start is not possible; it is drawn again
	// for the next one, at most 100 times.
	NotStarted float64
	// Lost, Fail and Panic are the rates of these ends, of which the first that
	// is drawn, in this order, happens.
	Lost, Fail, Panic float64
	// ExitCode of what fails. 0: 1.
	ExitCode int
}

// maxNotStarted keeps a rate of 1 from going on for ever.
const maxNotStarted = 100

// Behave draws what an attempt does.
func (r Random) Behave(a *executor.Attempt, source *rand.Rand) Behaviour {
	b := Behaviour{Wait: r.Wait.draw(source), Duration: r.Duration.draw(source)}
	for b.NotStarted < maxNotStarted && source.Float64() < r.NotStarted {
		b.NotStarted++
	}
	// Each is drawn whatever the others are, so that another rate for one of
	// them leaves the rest of the picture alone.
	lost, fail, panics := source.Float64(), source.Float64(), source.Float64()
	switch {
	case lost < r.Lost:
		b.Lost = a.Number
	case fail < r.Fail:
		b.ExitCode = r.ExitCode
		if b.ExitCode == 0 {
			b.ExitCode = 1
		}
	case panics < r.Panic:
		b.Panic = "sim: panic, as the simulation wants it"
	}
	return b
}

// A Distribution draws a time that is not negative. Nil draws 0.
type Distribution func(*rand.Rand) time.Duration

func (d Distribution) draw(source *rand.Rand) time.Duration {
	if d == nil {
		return 0
	}
	return max(0, d(source))
}

// Fixed is always d.
func Fixed(d time.Duration) Distribution {
	return func(*rand.Rand) time.Duration { return d }
}

// Uniform is between low and high, each equally likely.
func Uniform(low, high time.Duration) Distribution {
	return func(r *rand.Rand) time.Duration {
		return low + time.Duration(r.Float64()*float64(high-low))
	}
}

// Exponential has this mean: many are short and few are long.
func Exponential(mean time.Duration) Distribution {
	return func(r *rand.Rand) time.Duration { return scale(mean, r.ExpFloat64()) }
}

// LogNormal has this median, and sigma as the standard deviation of its
// logarithm: with 1, one in six is longer than 2.7 medians. Running times of
// programs often look like it.
func LogNormal(median time.Duration, sigma float64) Distribution {
	return func(r *rand.Rand) time.Duration {
		return scale(median, math.Exp(sigma*r.NormFloat64()))
	}
}

// scale stays below a century, where a duration would overflow.
func scale(d time.Duration, factor float64) time.Duration {
	const century = 100 * 365 * 24 * time.Hour
	return time.Duration(min(float64(d)*factor, float64(century)))
}
