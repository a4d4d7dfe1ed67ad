package network

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

var subscriptions = id.Kind{Name: "product", Prefix: "sub"}

// script is a network that answers each request as it is told to: with the answers in turn, the last for ever.
type script struct {
	mu      sync.Mutex
	answers map[Action][]any // Answer or error
	submits []Order
	status  []any
	asked   int
}

func (s *script) Submit(_ context.Context, o Order) (Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.submits = append(s.submits, o)
	list := s.answers[o.Action]
	if len(list) == 0 {
		return Answer{Result: Done}, nil
	}
	if len(list) > 1 {
		s.answers[o.Action] = list[1:]
	}
	return said(list[0])
}

func (s *script) Status(context.Context, id.ID) (Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	a := s.status[0]
	if len(s.status) > 1 {
		s.status = s.status[1:]
	}
	return said(a)
}

func said(v any) (Answer, error) {
	if err, ok := v.(error); ok {
		return Answer{}, err
	}
	return v.(Answer), nil
}

// desk is a service on a store with a clock that the test moves.
type desk struct {
	*Service
	*script
	t     *testing.T
	ctx   context.Context
	clock *clock.Virtual
	line  id.ID
	ended []Outcome
	// refuse has Ended fail so many times.
	refuse int
}

func each(t *testing.T, fn func(t *testing.T, d *desk)) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			d := &desk{t: t, ctx: storetest.Context(1), clock: clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), script: &script{answers: map[Action][]any{}}}
			s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = d.clock })
			d.line = id.New(subscriptions, 7, d.clock.Now())
			d.Service = New(s, Options{Connector: d.script, Ended: func(_ context.Context, o Outcome) error {
				if d.refuse > 0 {
					d.refuse--
					return fault.Conflictf("notNow", "who asked cannot take it")
				}
				d.ended = append(d.ended, o)
				return nil
			}})
			fn(t, d)
		})
	}
}

func (d *desk) ask(key string, a Action) id.ID {
	d.t.Helper()
	i, err := d.Request(d.ctx, key, Order{Action: a, Line: d.line, MSISDN: "41790000001"})
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

// work runs what is due, and what that makes due; a job that fails is due again at once, and is not run again here.
func (d *desk) work() (errs []error) {
	d.t.Helper()
	for len(errs) == 0 {
		jobs, err := d.store.ClaimJobs(d.ctx, 10, time.Minute)
		if err != nil {
			d.t.Fatal(err)
		}
		if len(jobs) == 0 {
			return nil
		}
		for _, j := range jobs {
			if err := d.Jobs()[j.Kind](d.ctx, j); err != nil {
				errs = append(errs, err)
				err = d.store.FailJob(d.ctx, j, d.clock.Now(), err.Error())
				if err != nil {
					d.t.Fatal(err)
				}
				continue
			}
			if err := d.store.FinishJob(d.ctx, j); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	return errs
}

// pass lets time pass, a step at a time, and works after each.
func (d *desk) pass(all, step time.Duration) {
	d.t.Helper()
	for end := d.clock.Now().Add(all); d.clock.Now().Before(end); {
		d.clock.Advance(step)
		d.work()
	}
}

func (d *desk) stands(i id.ID, want State) ProvisioningRequest {
	d.t.Helper()
	v, _, err := d.Requests.Get(d.ctx, i)
	if err != nil || v.State != want {
		d.t.Fatalf("the request is %s, want %s: %v", v.State, want, err)
	}
	return v
}

func (d *desk) sent() (actions []Action) {
	for _, o := range d.submits {
		actions = append(actions, o.Action)
	}
	return actions
}

func TestAnAnswerAtOnceIsToldOnce(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		i := d.ask("order/1", Activate)
		if again := d.ask("order/1", Activate); again != i {
			t.Errorf("the same key is another request: %s, %s", i, again)
		}
		d.stands(i, StateRequested)
		d.work()
		d.stands(i, StateDone)
		if len(d.submits) != 1 || d.submits[0].ID != i || d.submits[0].MSISDN != "41790000001" {
			t.Errorf("the network got %+v", d.submits)
		}
		if len(d.ended) != 1 || d.ended[0].Request != i || d.ended[0].For != "order/1" || d.ended[0].Answer.Result != Done || d.ended[0].Line != d.line {
			t.Errorf("told %+v", d.ended)
		}
		for _, a := range []Answer{{Result: Done}, {Result: Refused}, {Result: Accepted}} {
			if err := d.Tell(d.ctx, i, a); err != nil {
				t.Errorf("a late answer: %v", err)
			}
		}
		d.pass(time.Hour, 10*time.Minute)
		if d.stands(i, StateDone); len(d.ended) != 1 || len(d.submits) != 1 {
			t.Errorf("a late answer was told, or the request sent again: %d, %d", len(d.ended), len(d.submits))
		}
	})
}

func TestACallWithoutAnAnswerIsMadeAgain(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.answers[Activate] = []any{errors.New("connection reset"), errors.New("time-out"), Answer{Result: Unknown}, Answer{Result: Done}}
		i := d.ask("k", Activate)
		d.work()
		if v := d.stands(i, StateSent); v.Attempts != 1 || v.LastError != "connection reset" {
			t.Errorf("%+v", v)
		}
		d.clock.Advance(999 * time.Millisecond)
		if d.work(); len(d.submits) != 1 {
			t.Error("it did not pause")
		}
		d.pass(10*time.Second, time.Second)
		d.stands(i, StateDone)
		if len(d.submits) != 4 || len(d.ended) != 1 {
			t.Errorf("%d calls, told %d times", len(d.submits), len(d.ended))
		}
		for _, o := range d.submits {
			if o.ID != i {
				t.Errorf("sent again under another id: %s", o.ID)
			}
		}
	})
}

func TestAnAcceptedRequestIsAnsweredByCallback(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.answers[Activate] = []any{Answer{Result: Accepted}}
		d.status = []any{Answer{Result: Accepted}}
		i := d.ask("k", Activate)
		d.work()
		d.stands(i, StateAccepted)
		if len(d.ended) != 0 {
			t.Fatal("told before its time")
		}
		for range 2 {
			if err := d.Tell(d.ctx, i, Answer{Result: Done}); err != nil {
				t.Fatal(err)
			}
		}
		d.stands(i, StateDone)
		d.pass(time.Hour, time.Minute)
		if len(d.ended) != 1 || d.asked != 0 {
			t.Errorf("told %d times, asked %d times", len(d.ended), d.asked)
		}
	})
}

func TestACallbackMayOvertakeTheAnswerOfTheCall(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		i := d.ask("k", Activate)
		if err := d.Tell(d.ctx, i, Answer{Result: Done}); err != nil {
			t.Fatal(err)
		}
		if d.work(); len(d.submits) != 0 || len(d.ended) != 1 {
			t.Errorf("%d calls, told %d times", len(d.submits), len(d.ended))
		}
	})
}

func TestASilentNetworkIsAsked(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.answers[Activate] = []any{Answer{Result: Accepted}}
		d.status = []any{errors.New("busy"), Answer{Result: Accepted}, Answer{Result: Refused, Reason: "no such SIM"}}
		i := d.ask("k", Activate)
		d.work()
		d.clock.Advance(59 * time.Second)
		if d.work(); d.asked != 0 {
			t.Error("asked too early")
		}
		d.pass(10*time.Minute, 10*time.Second)
		if v := d.stands(i, StateRefused); v.Reason != "no such SIM" || v.Silent || d.asked != 3 || len(d.submits) != 1 {
			t.Errorf("%+v, asked %d times, sent %d times", v, d.asked, len(d.submits))
		}
		if len(d.ended) != 1 || d.ended[0].Answer.Reason != "no such SIM" {
			t.Errorf("told %+v", d.ended)
		}
	})
}

func TestWhatTheNetworkLostAfterAcceptingItIsSentAgain(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.answers[Activate] = []any{Answer{Result: Accepted}, Answer{Result: Done}}
		d.status = []any{Answer{Result: Unknown}}
		i := d.ask("k", Activate)
		d.work()
		d.pass(10*time.Minute, 10*time.Second)
		if d.stands(i, StateDone); len(d.submits) != 2 || d.asked != 1 || len(d.ended) != 1 {
			t.Errorf("%d calls, asked %d times, told %d times", len(d.submits), d.asked, len(d.ended))
		}
	})
}

func TestNoAnswerUntilTheDeadlineIsARefusal(t *testing.T) {
	for name, c := range map[string]struct{ submit, status any }{
		"never answers":  {errors.New("down"), errors.New("down")},
		"never finishes": {Answer{Result: Accepted}, Answer{Result: Accepted}},
		"falls silent":   {Answer{Result: Accepted}, errors.New("down")},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, d *desk) {
				d.answers[Activate], d.status = []any{c.submit}, []any{c.status}
				i := d.ask("k", Activate)
				d.work()
				d.pass(23*time.Hour, time.Hour)
				if len(d.ended) > 0 {
					t.Fatal("given up too early")
				}
				d.pass(61*time.Minute, 5*time.Minute)
				if v := d.stands(i, StateRefused); !v.Silent || v.Reason == "" {
					t.Errorf("%+v", v)
				}
				if len(d.ended) != 1 || d.ended[0].Answer.Result != Refused || !d.ended[0].Answer.Silent {
					t.Errorf("told %+v", d.ended)
				}
				if at, err := d.Standing(d.ctx, d.line); at != Unclear || err != nil {
					t.Errorf("the line is %s, %v", at, err)
				}
				calls := len(d.submits) + d.asked
				if err := d.Tell(d.ctx, i, Answer{Result: Done}); err != nil {
					t.Fatal(err)
				}
				d.pass(48*time.Hour, 12*time.Hour)
				if d.stands(i, StateRefused); len(d.ended) != 1 || len(d.submits)+d.asked != calls {
					t.Error("it goes on after it was given up")
				}
			})
		})
	}
}

func TestRequestsForALineDoNotOvertakeEachOther(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.answers[Activate] = []any{errors.New("down"), errors.New("down"), Answer{Result: Accepted}}
		d.status = []any{Answer{Result: Accepted}}
		first, second, third := d.ask("1", Activate), d.ask("2", Modify), d.ask("3", Deactivate)
		other, err := d.Request(d.ctx, "other", Order{Action: Suspend, Line: id.New(subscriptions, 7, d.clock.Now())})
		if err != nil {
			t.Fatal(err)
		}
		d.pass(20*time.Second, time.Second)
		d.stands(first, StateAccepted)
		d.stands(second, StateRequested)
		d.stands(third, StateRequested)
		d.stands(other, StateDone)
		if at, err := d.Standing(d.ctx, d.line); at != Absent || err != nil {
			t.Errorf("once all is done the line is %s, %v", at, err)
		}
		d.pass(25*time.Hour, 5*time.Hour)
		if v := d.stands(first, StateRefused); !v.Silent {
			t.Errorf("%+v", v)
		}
		d.stands(third, StateDone)
		want := []Action{Activate, Suspend, Activate, Activate, Modify, Deactivate}
		if got := d.sent(); strings.Join(texts(got), " ") != strings.Join(texts(want), " ") {
			t.Errorf("sent %v, want %v", got, want)
		}
		if len(d.ended) != 4 || d.ended[1].Request != first || d.ended[2].Request != second || d.ended[3].Request != third {
			t.Errorf("told %+v", d.ended)
		}
		last := d.ask("4", Activate)
		if v := d.stands(last, StateRequested); v.Follows != third {
			t.Errorf("follows %s", v.Follows)
		}
	})
}

func texts(actions []Action) (out []string) {
	for _, a := range actions {
		out = append(out, string(a))
	}
	return out
}

func TestWhoAskedAndTheRecordAgree(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.refuse = 2
		i := d.ask("k", Activate)
		for range 2 {
			if errs := d.work(); len(errs) != 1 {
				t.Fatalf("%v", errs)
			}
			d.stands(i, StateRequested)
		}
		d.work()
		if d.stands(i, StateDone); len(d.ended) != 1 || len(d.submits) != 3 {
			t.Errorf("told %d times, sent %d times", len(d.ended), len(d.submits))
		}
		if err := d.store.Write(d.ctx, func(ctx context.Context) error {
			if _, err := d.Request(ctx, "undone", Order{Action: Suspend, Line: d.line}); err != nil {
				t.Fatal(err)
			}
			return errors.New("changed my mind")
		}); err == nil {
			t.Fatal("kept")
		}
		if d.work(); len(d.submits) != 3 {
			t.Error("what was rolled back was sent")
		}
		if at, err := d.Standing(d.ctx, d.line); at != Connected || err != nil {
			t.Errorf("the line is %s, %v", at, err)
		}
	})
}

func TestWhatTheNetworkMakesOfALine(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		d.answers[Resume] = []any{Answer{Result: Refused, Reason: "fraud"}}
		for n, c := range []struct {
			ask  Action
			want Standing
		}{{Modify, Unclear}, {Activate, Connected}, {Modify, Connected}, {Suspend, Barred}, {Modify, Barred}, {Resume, Barred}, {Deactivate, Absent}} {
			d.ask(string(rune('a'+n)), c.ask)
			d.work()
			if at, err := d.Standing(d.ctx, d.line); at != c.want || err != nil {
				t.Errorf("after %s the line is %s, want %s (%v)", c.ask, at, c.want, err)
			}
		}
	})
}

func TestWhatIsNoRequest(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		for attribute, o := range map[string]Order{
			"action":         {Action: "explode", Line: d.line},
			"subscriptionId": {Action: Activate, Line: "4711"},
		} {
			if _, err := d.Request(d.ctx, attribute, o); fault.KindOf(err) != fault.Invalid || fault.From(err).Attribute != attribute {
				t.Errorf("%+v: %v", o, err)
			}
		}
		if err := d.Tell(d.ctx, id.New(Kind, 1, d.clock.Now()), Answer{Result: Done}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an answer to no request: %v", err)
		}
		i := d.ask("k", Activate)
		if err := d.Tell(storetest.Context(2), i, Answer{Result: Done}); fault.KindOf(err) != fault.NotFound {
			t.Errorf("an answer to another service provider's request: %v", err)
		}
		if err := d.Tell(d.ctx, i, Answer{Result: "perhaps"}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("an answer that is none: %v", err)
		}
	})
}
