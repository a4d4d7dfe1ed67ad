package payment

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/provider"
)

// asking is what passed between demarc and the gateway about one payment or refund. It is written before each call, so that
// whoever comes after a crash knows that the gateway may have been asked. Its moments are those of the machine's clock: a
// gateway knows no other.
type asking struct {
	// Of is the payment or refund.
	Of id.ID `json:"of"`
	// Attempts counts the calls that were begun, First and Last are when.
	Attempts int        `json:"attempts"`
	First    *time.Time `json:"first,omitzero"`
	Last     *time.Time `json:"last,omitzero"`
	// Busy is until when nobody else asks; nil: nobody does now.
	Busy *time.Time `json:"busyUntil,omitzero"`
	// LastError says what came of the last call that was not answered.
	LastError string `json:"lastError,omitzero"`
}

// attempts is how often a job may fail for demarc's own reasons: a call that the gateway does not answer is no failure.
const attempts = 1000

// The pauses between calls.
const (
	longestPause = 15 * time.Minute
	silence      = 5 * time.Second
	// inFlight is how long after it was sent a call may still reach the gateway.
	inFlight = 10 * time.Minute
)

// callTimeout bounds one call to the gateway.
func (s *Service) callTimeout() time.Duration {
	if s.CallTimeout > 0 {
		return s.CallTimeout
	}
	return 20 * time.Second
}

// lease is how long one who asks the gateway is left alone: two calls and what goes with them.
func (s *Service) lease() time.Duration { return 2*s.callTimeout() + 10*time.Second }

// patience is how long the job waits for one who promised to call Settle.
func (s *Service) patience() time.Duration { return s.callTimeout() }

// expect notes that the gateway will be asked.
func (s *Service) expect(ctx context.Context, of id.ID) (id.ID, error) {
	home, _ := of.Home()
	i := id.New(askingKind, home, s.store.Now(ctx))
	_, err := s.asking.Insert(ctx, i, &asking{Of: of})
	return i, err
}

// turn is the payload of a job: what to ask about, and how often it had been asked before.
type turn struct {
	Of    id.ID `json:"of"`
	Calls id.ID `json:"calls"`
	Begun int   `json:"begun"`
}

// promise has the gateway asked at a moment, unless somebody else asks before.
func (s *Service) promise(ctx context.Context, kind string, calls, of id.ID, begun int, at time.Time) error {
	return s.promised(ctx, kind, turn{of, calls, begun}, "", at)
}

func (s *Service) promised(ctx context.Context, kind string, t turn, again string, at time.Time) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := t.Of.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{
		Kind: kind, Key: string(t.Of) + "/" + strconv.Itoa(t.Begun) + again, Payload: payload, RunAt: at, MaxAttempts: attempts,
	})
	return err
}

// errBusy is somebody else who asks now, or was killed while asking.
var errBusy = errors.New("payment: the gateway is being asked")

// errOver is a call that nobody needs any more.
var errOver = errors.New("payment: it is over, or another goes on with it")

// take notes that the gateway is about to be asked; begun is how often it had been asked when that was promised, -1 for
// who asks without a promise.
func (s *Service) take(ctx context.Context, calls id.ID, begun int) (a asking, before int, err error) {
	err = s.store.Write(ctx, func(ctx context.Context) error {
		v, d, err := s.asking.Get(ctx, calls)
		if err != nil {
			return err
		}
		now := s.store.MachineNow()
		switch {
		case v.Busy != nil && now.Before(*v.Busy):
			return errBusy
		case v.Busy == nil && begun >= 0 && v.Attempts > begun:
			return errOver
		}
		before = v.Attempts
		v.Attempts++
		v.Last = &now
		if v.First == nil {
			v.First = &now
		}
		until := now.Add(s.lease())
		v.Busy = &until
		a = v
		_, err = s.asking.Update(ctx, calls, d.Version, &v)
		return err
	})
	return a, before, err
}

// unanswered notes a call that came to nothing and promises the next. It changes nothing when another took over.
func (s *Service) unanswered(ctx context.Context, kind string, calls id.ID, mine int, why string, pause time.Duration) error {
	v, d, err := s.asking.Get(ctx, calls)
	if err != nil || v.Attempts != mine {
		return err
	}
	v.Busy, v.LastError = nil, clip(why)
	if _, err := s.asking.Update(ctx, calls, d.Version, &v); err != nil {
		return err
	}
	return s.promise(ctx, kind, calls, v.Of, v.Attempts, s.store.Now(ctx).Add(pause))
}

func clip(text string) string {
	if len(text) <= longestText {
		return text
	}
	cut := longestText
	for cut > 0 && text[cut]&0xc0 == 0x80 { // not in the middle of a character
		cut--
	}
	return text[:cut] + "…"
}

// resends is for how long a call that got no answer is made again; after that the gateway is only asked what it knows.
func (s *Service) resends(ctx context.Context) (time.Duration, error) {
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return 0, err
	}
	return time.Duration(provider.Or(rules.Policy.Payment.Resend(), 60)) * time.Minute, nil
}

// chargeJob asks the gateway for a payment.
func (s *Service) chargeJob(ctx context.Context, j job.Job) error {
	var t turn
	if err := json.Unmarshal(j.Payload, &t); err != nil {
		return job.Permanent{Err: err}
	}
	return s.later(ctx, JobCharge, t, s.ask(ctx, t.Of, t.Begun))
}

// later promises a job again that found somebody else asking: should that one be killed, there is another.
func (s *Service) later(ctx context.Context, kind string, t turn, err error) error {
	if !errors.Is(err, errBusy) {
		return err
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		a, _, err := s.asking.Get(ctx, t.Calls)
		if err != nil {
			return err
		}
		wait := time.Second
		if a.Busy != nil {
			wait = max(wait, a.Busy.Sub(s.store.MachineNow()))
		}
		return s.promised(ctx, kind, t, "/"+strconv.FormatInt(s.store.MachineNow().UnixMicro(), 10), s.store.Now(ctx).Add(wait))
	})
}

// Settle does now what the job of a payment would do: it asks the gateway, as long as ctx allows, and records the answer.
// Call it outside a transaction. The payment may be pending still: the gateway did not answer, or another asks it now.
func (s *Service) Settle(ctx context.Context, i id.ID) (Payment, error) {
	if err := s.ask(ctx, i, -1); err != nil && !errors.Is(err, errBusy) {
		return Payment{}, err
	}
	p, _, err := s.Payments.Get(ctx, i)
	return p, err
}

// ask takes a payment one call on.
func (s *Service) ask(ctx context.Context, i id.ID, begun int) error {
	p, _, err := s.Payments.Get(ctx, i)
	if err != nil || p.Status.Final() {
		return err
	}
	t, _, err := s.Tokens.Get(ctx, p.TokenID)
	if err != nil {
		return err
	}
	value, err := s.value(ctx, t)
	if err != nil {
		return err
	}
	window, err := s.resends(ctx)
	if err != nil {
		return err
	}
	a, before, err := s.take(ctx, p.Calls, begun)
	if errors.Is(err, errOver) {
		return nil
	}
	if err != nil {
		return err
	}
	o := Instruction{Key: i, Token: value, Amount: p.Total.Amount, Account: p.Account.ID, Text: p.Description, Asked: *a.First}
	answer, err := s.callGateway(ctx, before, a, window,
		func(ctx context.Context) (Answer, error) { return s.Parts.Gateway.Charge(ctx, o) },
		func(ctx context.Context) (Answer, error) { return s.Parts.Gateway.Find(ctx, o) })
	if ctx.Err() != nil { // the worker stops, or who asked went away: what came of it is asked for when the lease has ended
		return context.Cause(ctx)
	}
	if err == nil && (answer.Outcome == Succeeded || answer.Outcome == Declined) {
		return s.record(ctx, i, answer)
	}
	return s.wait(ctx, i, p, a, answer, err)
}

// callGateway asks for something: first what became of it when it may have been asked for before.
func (s *Service) callGateway(ctx context.Context, before int, a asking, window time.Duration, do, find func(context.Context) (Answer, error)) (Answer, error) {
	bounded := func(call func(context.Context) (Answer, error)) (Answer, error) {
		ctx, cancel := context.WithTimeout(ctx, s.callTimeout())
		defer cancel()
		return call(ctx)
	}
	if before > 0 {
		known, err := bounded(find)
		if err != nil || known.Outcome != Unknown {
			return known, err
		}
		asked := a.Last.Sub(*a.First)
		if asked > window+inFlight {
			return Answer{Outcome: Declined, Code: neverArrived, Reason: "the gateway never heard of it"}, nil
		}
		if asked > window {
			return Answer{}, errors.New("the gateway does not know it, and it is too late to ask again")
		}
	}
	return bounded(do)
}

// wait notes an answer that is none yet, and promises the next question.
func (s *Service) wait(ctx context.Context, i id.ID, p Payment, a asking, answer Answer, why error) error {
	pause := min(job.Backoff(a.Attempts), longestPause)
	state, text := ResultPending, ""
	if why != nil {
		state, text = ResultUnknown, why.Error()
	} else {
		pause = max(pause, silence)
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		if err := s.unanswered(ctx, JobCharge, p.Calls, a.Attempts, text, pause); err != nil {
			return err
		}
		now, _, err := s.Payments.Get(ctx, i)
		if err != nil || now.Status.Final() || now.Gateway.Code == state && (answer.Reference == "" || now.Reference == answer.Reference) {
			return err
		}
		_, err = s.Payments.Change(ctx, i, func(v *Payment) error {
			v.Gateway = &Result{Code: state}
			if answer.Reference != "" {
				v.Reference = answer.Reference
			}
			return nil
		})
		return err
	})
}
