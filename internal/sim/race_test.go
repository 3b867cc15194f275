//go:build race

package sim_test

// raceDetector makes everything take many times as long.
const raceDetector = true
