package clock_test

import (
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
)

func TestVirtualTimeMovesOnlyWhenTold(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	v := clock.NewVirtual(start)
	hour, day := v.After(time.Hour), v.After(24*time.Hour)
	select {
	case <-hour:
		t.Fatal("woke before its time")
	default:
	}
	v.Advance(2 * time.Hour)
	if got := <-hour; !got.Equal(start.Add(2 * time.Hour)) {
		t.Errorf("woke at %s", got)
	}
	select {
	case <-day:
		t.Fatal("woke before its time")
	default:
	}
	v.Set(start.AddDate(1, 0, 0))
	<-day
	v.Set(start)
	if !v.Now().Equal(start.AddDate(1, 0, 0)) {
		t.Error("time went backwards")
	}
	<-v.After(0)
}

func TestRealTimeHasThePrecisionThatIsStored(t *testing.T) {
	now := clock.Real{}.Now()
	if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
		t.Errorf("%s would not come back from the database as it is", now)
	}
}
