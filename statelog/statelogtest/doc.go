// Package statelogtest checks implementations of
// [github.com/daggy-go/daggy/statelog.StateLogger] against the rules of package
// statelog:
//
//	func TestConformance(t *testing.T) {
//		statelogtest.Run(t, statelogtest.Config{
//			New: func(testing.TB) statelog.StateLogger { return mylog.New() },
//		})
//	}
//
// Every check is a subtest named after the rule that it holds, and is given a log
// of its own.
//
// [Faulty] makes any log fail on demand, for tests of those who use logs.
package statelogtest
