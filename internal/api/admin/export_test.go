package admin

import "time"

// Later is open to the tests, which live outside the package.
func Later(t time.Time, duration string) (time.Time, bool) { return later(t, duration) }
