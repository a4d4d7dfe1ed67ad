package renewal

import (
	"context"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// JobDue is the kind of job that does what is due of a line, and promises itself for what comes next.
const JobDue = "renewal.due"

// payload is what the job is about.
type payload struct {
	Line id.ID `json:"line"`
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobDue: s.run} }

// mostAtOnce bounds what one job does: a line that time passed by for years is brought up in several.
const mostAtOnce = 200

// run does all that is due of a line by now, in its order and each with the moment that made it due, in one
// transaction. Nothing is due: nothing changes.
func (s *Service) run(ctx context.Context, j job.Job) error {
	var p payload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	return s.Due(ctx, p.Line)
}

// Due does what is due of a line by now; see JobDue.
func (s *Service) Due(ctx context.Context, line id.ID) error {
	err := s.change(ctx, line, func(ctx context.Context, l *life) error {
		if l.line.State.Ended() {
			return nil
		}
		if err := l.revive(ctx); err != nil {
			return err
		}
		for range mostAtOnce {
			d := l.next()
			if d.what == nothing || d.at.After(l.now) {
				return nil
			}
			if err := l.do(ctx, d); err != nil {
				return err
			}
		}
		return nil
	})
	if fault.KindOf(err) == fault.NotFound {
		return nil // a line that was deleted
	}
	return err
}

// save stores what changed and promises the next job.
func (l *life) save(ctx context.Context) error {
	if err := l.s.Balances.Save(ctx, l.w); err != nil {
		return err
	}
	if err := l.flush(ctx); err != nil {
		return err
	}
	return l.promise(ctx)
}

// promise has a job do what is due next. A job of a moment that is superseded meanwhile does nothing.
func (l *life) promise(ctx context.Context) error {
	d := l.next()
	at, ok := d.at, d.what != nothing
	if again, waits := l.retry(); waits && (!ok || again.Before(at)) {
		at, ok = again, true
	}
	if !ok {
		return nil
	}
	return l.s.promise(ctx, l.id, at, "")
}

// promise has a job look at a line at a moment. The moment is in its key: who promises the same adds nothing. What
// comes from outside, and may come again while the job of that moment runs, names itself in because.
func (s *Service) promise(ctx context.Context, line id.ID, at time.Time, because id.ID) error {
	raw, err := json.Marshal(payload{line})
	if err != nil {
		return fault.Internalf(err, "a renewal cannot be written down")
	}
	home, _ := line.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{
		Kind: JobDue, Key: string(line) + "/" + strconv.FormatInt(at.UnixMicro(), 10) + string(because), Payload: raw, RunAt: at,
	})
	return err
}

type insideKey struct{}

// within marks what this package does itself: it need not be told of it.
func within(ctx context.Context) context.Context { return context.WithValue(ctx, insideKey{}, true) }

// paid has a line looked at as soon as money came to it, if money is what it waits for.
func (s *Service) paid(ctx context.Context, e event.Event) error {
	var v struct {
		Line     id.ID `json:"subscriptionId"`
		Receiver id.ID `json:"receiverSubscriptionId"`
	}
	if err := json.Unmarshal(e.Document, &v); err != nil {
		return fault.Internalf(err, "the %s %s cannot be read", e.Resource, e.Subject)
	}
	for _, i := range []id.ID{v.Line, v.Receiver} {
		if !i.Is(subscription.Kind) {
			continue
		}
		line, _, err := s.Subscriptions.Lines.Get(ctx, i)
		if fault.KindOf(err) == fault.NotFound {
			continue // what was refused may name a line that there is not
		}
		if err != nil {
			return err
		}
		if !wants(line) {
			continue
		}
		if err := s.promise(ctx, i, s.store.Now(ctx), e.ID); err != nil {
			return err
		}
	}
	return nil
}

// moved has what is due of a line planned anew when others brought it to another state.
func (s *Service) moved(ctx context.Context, e event.Event) error {
	if ctx.Value(insideKey{}) != nil || !e.Subject.Is(subscription.Kind) {
		return nil
	}
	line, _, err := s.Subscriptions.Lines.Get(ctx, e.Subject)
	if err != nil || line.Recorded || line.State.Ended() || line.State == subscription.Pending {
		return err
	}
	l, err := s.life(ctx, e.Subject)
	if err != nil {
		return err
	}
	return l.promise(ctx)
}
