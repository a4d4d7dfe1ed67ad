package admin

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
)

// clockPath is where the clock stands, clockAliases where it stands beside the Customer Management API.
const clockPath = "/sandbox/clock"

var clockAliases = []string{"/api/sandbox/clock", "/api/v1/sandbox/clock"}

// clocks are the operations on the clock of a sandbox. They are no admin tasks: who may change a service provider
// may move its clock.
func (a *api) clocks(problems *op.Facade) []op.Operation {
	facade := *problems
	facade.Name, facade.Title = "sandbox", "Sandbox"
	facade.Description = "The clock of a service provider that is a sandbox. Its time stands until it is moved; then everything that is due on the way " +
		"happens as and when it would have: renewals, expiries, automatic top-ups, ports. The header `spid` chooses the service provider when a caller has several."
	facade.Prefixes = []string{"/sandbox/", "/api/sandbox/", "/api/v1/sandbox/"}
	const tag = "Sandbox clock"
	ops := []op.Operation{
		op.Handle(op.Operation{
			ID: "sandbox.clock.get", Method: http.MethodGet, Path: clockPath, Tag: tag, Permission: []auth.Permission{{Entity: "serviceProvider", Verb: auth.Get}},
			Summary: "Read the clock of the sandbox",
			Description: "Where the clock stands and, while it is moved (`advancing`), where it is going and how far it has come. " +
				"409 when the service provider is no sandbox.",
			StrictQuery: true, Errors: []fault.Kind{fault.Conflict},
		}, a.readClock),
		op.Handle(op.Operation{
			ID: "sandbox.clock.move", Method: http.MethodPost, Path: clockPath, Tag: tag, Permission: []auth.Permission{{Entity: "serviceProvider", Verb: auth.Patch}},
			Summary: "Move the clock of the sandbox forwards",
			Description: "To a time, or by a duration: ISO 8601 (`P1M`, `P1DT12H`), whose days, months and years are those of the service provider's " +
				"time zone and whose months end at their last day, or hours, minutes and seconds as `720h`. It stops at every moment at which work " +
				"of the service provider is due, until that work is done; read it until its state is `ready`. Work that stays failed is not waited for " +
				"for ever: it is told in `failed`. At most ten years at once. 409 while it is moved, and when the service provider is no sandbox.",
			Writes: true, Status: http.StatusAccepted, Errors: []fault.Kind{fault.Conflict},
		}, a.moveClock),
	}
	for n := range ops {
		ops[n].Facade, ops[n].Aliases = &facade, slices.Clone(clockAliases)
	}
	return ops
}

type clockView struct {
	Time        time.Time       `json:"time" doc:"The service provider's time."`
	State       string          `json:"state" enum:"ready,advancing"`
	From        time.Time       `json:"from" doc:"Where the last move set out."`
	Target      time.Time       `json:"target" doc:"Where it ends, or ended."`
	Progress    float64         `json:"progress" doc:"How much of the way is behind it, from 0 to 1." example:"1"`
	Stops       int64           `json:"stops" doc:"At how many moments it stopped on the way, since work was due then."`
	Waiting     int64           `json:"waiting" doc:"How many jobs it waits for."`
	Failed      []failedJobView `json:"failed" doc:"Jobs of the last move that failed for good, or that it waits for no longer since they failed three times; at most 20."`
	FailedTotal int64           `json:"failedTotal" doc:"How many such jobs there are."`
	Type        string          `json:"@type"`
}

type failedJobView struct {
	ID        id.ID     `json:"id" doc:"The job, as GET /api/admin/job/{id} tells of it."`
	Kind      string    `json:"kind" example:"renewal.due"`
	State     string    `json:"state" enum:"ready,running,dead"`
	RunAt     time.Time `json:"runAt" doc:"When it was due."`
	LastError string    `json:"lastError,omitzero"`
}

func showClock(c store.SandboxClock) *clockOut {
	v := clockView{
		Time: c.Now, State: "ready", From: c.From, Target: c.Target, Progress: 1, Stops: c.Stops, Waiting: c.Waiting,
		Failed: []failedJobView{}, FailedTotal: c.FailedTotal, Type: "SandboxClock",
	}
	if c.Moving {
		v.State = "advancing"
		if way := c.Target.Sub(c.From); way > 0 {
			v.Progress = float64(c.Now.Sub(c.From)) / float64(way)
		}
	}
	for _, j := range c.Failed {
		v.Failed = append(v.Failed, failedJobView{ID: j.ID, Kind: j.Kind, State: string(j.State), RunAt: j.RunAt, LastError: j.LastError})
	}
	return &clockOut{Body: v}
}

type clockOut struct{ Body clockView }

type noIn struct{}

func (a *api) readClock(ctx context.Context, _ *noIn) (*clockOut, error) {
	c, err := a.Store.Clock(ctx)
	if err != nil {
		return nil, err
	}
	return showClock(c), nil
}

type moveClockIn struct {
	Body struct {
		Time     *time.Time `json:"time,omitzero" doc:"Where to move it."`
		Duration string     `json:"duration,omitzero" maxLength:"40" doc:"By how much to move it, instead of a time." example:"P1M"`
		Type     string     `json:"@type,omitzero"`
	}
}

func (a *api) moveClock(ctx context.Context, in *moveClockIn) (*clockOut, error) {
	now, err := a.Store.Clock(ctx)
	if err != nil {
		return nil, err
	}
	var to time.Time
	switch {
	case (in.Body.Time == nil) == (in.Body.Duration == ""):
		return nil, fault.Invalidf("time", "either time or duration is mandatory")
	case in.Body.Time != nil:
		to = *in.Body.Time
	default:
		zone := time.UTC
		if a.Location != nil {
			if zone, err = a.Location(ctx); err != nil {
				return nil, err
			}
		}
		var ok bool
		if to, ok = later(now.Now.In(zone), in.Body.Duration); !ok {
			return nil, fault.Invalidf("duration", "duration is an ISO 8601 one such as P1M or PT36H, or one such as 720h, and not negative")
		}
	}
	moved, err := a.Store.MoveClock(ctx, to)
	if err != nil {
		return nil, err
	}
	return showClock(moved), nil
}

var isoDuration = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?(T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,8})S)?)?$`)

// later is t moved by a duration; ok is false for what is none.
func later(t time.Time, duration string) (_ time.Time, ok bool) {
	m := isoDuration.FindStringSubmatch(duration)
	if m == nil {
		d, err := time.ParseDuration(duration)
		return t.Add(d), err == nil && d >= 0
	}
	if last := duration[len(duration)-1]; last == 'P' || last == 'T' {
		return t, false
	}
	part := func(n int) int {
		v, _ := strconv.Atoi(m[n]) // empty: none
		return v
	}
	t = monthsLater(t, 12*part(1)+part(2)).AddDate(0, 0, 7*part(3)+part(4))
	return t.Add(time.Duration(part(6))*time.Hour + time.Duration(part(7))*time.Minute + time.Duration(part(8))*time.Second), true
}

// monthsLater is the same day of a later month, or its last day when it has no such day.
func monthsLater(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	last := time.Date(y, m+time.Month(n)+1, 0, 0, 0, 0, 0, t.Location()).Day()
	return time.Date(y, m+time.Month(n), min(d, last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
}
