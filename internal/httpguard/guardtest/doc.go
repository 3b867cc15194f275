// Package guardtest checks that every route of a daemon is guarded.
//
//	func TestEveryRouteIsGuarded(t *testing.T) {
//		guardtest.Run(t, guardtest.Config{
//			Handler: daemon, Routes: guard.Routes(), Tokens: guardtest.Tokens(),
//		})
//	}
//
// It sends each route what must not get through, checks the status, that the
// answer is JSON and that nothing of the body was read, and prints the table. None
// of it reaches a handler if the guard works, so the daemon needs no preparation.
package guardtest
