package job

import (
	"testing"
	"time"
)

func TestBackoffDoublesUpToAnHour(t *testing.T) {
	for attempt, want := range map[int]time.Duration{
		-1: time.Second, 0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second,
		12: 2048 * time.Second, 13: time.Hour, 1000: time.Hour,
	} {
		if got := Backoff(attempt); got != want {
			t.Errorf("after run %d the pause is %s, want %s", attempt, got, want)
		}
	}
}
