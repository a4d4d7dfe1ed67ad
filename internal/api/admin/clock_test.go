package admin_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/admin"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/worker"
)

const clockPath = "/sandbox/clock"

func TestMoveTheClockOfASandbox(t *testing.T) {
	each(t, func(s *server) {
		s.write(1, func(ctx context.Context) error { return s.store.BeginClock(ctx, true) })
		s.write(2, func(ctx context.Context) error { return s.store.BeginClock(ctx, false) })
		ran := 0
		w := worker.New(s.store, worker.Options{Scope: auth.System, Clock: s.clock})
		w.HandleInTx("renew", func(context.Context, job.Job) error { ran++; return nil })
		w.HandleInTx("bad", func(context.Context, job.Job) error { return job.Permanent{Err: context.Canceled} })
		drain := func() {
			t.Helper()
			if _, err := w.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		s.write(1, func(ctx context.Context) error {
			for _, kind := range []string{"renew", "bad"} {
				if _, err := s.store.Enqueue(ctx, 1, job.Job{Kind: kind, RunAt: s.store.Now(ctx).AddDate(0, 0, 10)}); err != nil {
					return err
				}
			}
			return nil
		})

		s.do(s.viewer, http.MethodGet, clockPath, "").Want(200).Is(map[string]string{
			"time": "2026-03-01T12:00:00Z", "state": "ready", "progress": "1", "failed": "[]", "@type": "SandboxClock",
		})
		s.do(s.viewer, http.MethodPost, clockPath, `{"duration":"P1M"}`).Want(202).Is(map[string]string{
			"time": "2026-03-01T12:00:00Z", "state": "advancing", "target": "2026-04-01T12:00:00Z", "progress": "0",
		})
		s.do(s.viewer, http.MethodPost, clockPath, `{"duration":"P1M"}`).Refused(409, store.CodeClockMoving)
		if ran != 0 {
			t.Fatal("it was not the worker that moved the clock")
		}
		drain()
		s.do(s.viewer, http.MethodGet, "/api/v1/sandbox/clock", "").Want(200).Is(map[string]string{
			"time": "2026-04-01T12:00:00Z", "state": "ready", "progress": "1", "stops": "1", "failedTotal": "1",
			"failed.0.kind": "bad", "failed.0.state": "dead", "failed.0.runAt": "2026-03-11T12:00:00Z",
		})
		if ran != 1 {
			t.Fatalf("what was due ran %d times", ran)
		}
		s.clock.Advance(time.Second)
		s.do(s.viewer, http.MethodPost, clockPath, `{"time":"2026-05-01T00:00:00+02:00"}`).Want(202)
		drain()
		s.do(s.viewer, http.MethodGet, clockPath, "").Want(200).Is(map[string]string{"time": "2026-04-30T22:00:00Z", "failedTotal": "0"})

		for body, at := range map[string]string{
			`{}`: "time", `{"time":"2026-06-01T00:00:00Z","duration":"P1D"}`: "time", `{"time":"2026-04-01T00:00:00Z"}`: "time",
			`{"duration":"-720h"}`: "duration", `{"duration":"P"}`: "duration", `{"duration":"P1DT"}`: "duration", `{"duration":"a month"}`: "duration",
			`{"duration":"P11Y"}`: "time",
		} {
			a := s.do(s.viewer, http.MethodPost, clockPath, body).Refused(400, fault.CodeInvalid)
			if got := a.At("referenceError") + a.At("message"); got == "" {
				t.Errorf("%s at %s: %s", body, at, a.Raw)
			}
		}
		s.do(s.other, http.MethodPost, clockPath, `{"duration":"P1M"}`).Refused(409, store.CodeNoSandbox)
		s.do(s.other, http.MethodGet, clockPath, "").Refused(409, store.CodeNoSandbox)
		s.do(s.warden, http.MethodPost, clockPath, `{"duration":"P1M"}`).Want(403)
		s.do(s.nobody, http.MethodGet, clockPath, "").Want(403)
	})
}

func TestDurationsGoByTheCalendarOfTheServiceProvider(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, duration, want string }{
		{"2026-03-28T12:00:00+01:00", "P1D", "2026-03-29T12:00:00+02:00"}, // the clocks go forward in between
		{"2026-03-28T12:00:00+01:00", "24h", "2026-03-29T13:00:00+02:00"},
		{"2026-03-28T12:00:00+01:00", "PT24H", "2026-03-29T13:00:00+02:00"},
		{"2026-01-31T08:00:00+01:00", "P1M", "2026-02-28T08:00:00+01:00"},
		{"2024-01-31T08:00:00+01:00", "P1M", "2024-02-29T08:00:00+01:00"},
		{"2024-02-29T08:00:00+01:00", "P1Y", "2025-02-28T08:00:00+01:00"},
		{"2026-11-30T08:00:00+01:00", "P3M", "2027-02-28T08:00:00+01:00"},
		{"2026-01-01T00:00:00+01:00", "P1Y2M1W3DT4H5M6S", "2027-03-11T04:05:06+01:00"},
		{"2026-01-01T00:00:00+01:00", "PT0S", "2026-01-01T00:00:00+01:00"},
	} {
		from, err := time.Parse(time.RFC3339, c.from)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := admin.Later(from.In(zurich), c.duration)
		if !ok || got.Format(time.RFC3339) != c.want {
			t.Errorf("%s and %s is %s (%v), want %s", c.from, c.duration, got.Format(time.RFC3339), ok, c.want)
		}
	}
}
