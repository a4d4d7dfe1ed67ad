// Package messagetest gives tests a house whose messages arrive in the test.
package messagetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Inbox is a channel that keeps what it takes, or does what Script says.
type Inbox struct {
	mu  sync.Mutex
	got []message.Envelope
	// Script decides about an envelope; nil takes it and reports nothing.
	Script func(e message.Envelope) (message.Taken, error)
}

// Send implements message.Connector.
func (b *Inbox) Send(_ context.Context, e message.Envelope) (message.Taken, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, e)
	if b.Script != nil {
		return b.Script(e)
	}
	return message.Taken{Parts: []string{e.ID}}, nil
}

// All is what it was handed, the oldest first.
func (b *Inbox) All() []message.Envelope {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// Last is what it was handed last.
func (b *Inbox) Last(t testing.TB) message.Envelope {
	t.Helper()
	all := b.All()
	if len(all) == 0 {
		t.Fatal("no message was sent")
	}
	return all[len(all)-1]
}

// Bench is a house with a channel of each kind, on a clock that the test moves.
type Bench struct {
	*house.House
	Clock            *clock.Virtual
	SMS, Email, Push *Inbox
	lines            int
}

// Each runs a test on both engines, in a service provider that speaks English.
func Each(t *testing.T, run func(ctx context.Context, t *testing.T, b *Bench)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			c := clock.NewVirtual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
			b := On(storetest.Open(t, engine, func(o *store.Options) { o.Clock = c }), c)
			ctx := storetest.Context(1)
			b.Found(ctx, t)
			run(ctx, t, b)
		})
	}
}

// On is a bench on a store that has the clock.
func On(s *store.Store, c *clock.Virtual) *Bench {
	b := &Bench{Clock: c, SMS: &Inbox{}, Email: &Inbox{}, Push: &Inbox{}}
	b.House = house.New(s, house.Outside{
		Secret:   []byte("the secret of an installation"),
		Channels: map[message.Channel]message.Connector{message.SMS: b.SMS, message.Email: b.Email, message.Push: b.Push},
		As: func(ctx context.Context, spid int) context.Context {
			return scope.With(ctx, scope.Grant(spid, scope.Actor{Subject: "messages"}, scope.Claims{}))
		},
	})
	return b
}

// Found creates the service provider.
func (b *Bench) Found(ctx context.Context, t testing.TB, change ...func(*provider.ServiceProvider)) {
	t.Helper()
	v := provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}
	for _, f := range change {
		f(&v)
	}
	if _, _, err := b.Providers.Add(ctx, &v); err != nil {
		t.Fatal(err)
	}
}

// Policy changes the service provider's rules.
func (b *Bench) Policy(ctx context.Context, t testing.TB, change func(*provider.Policy)) {
	t.Helper()
	i, err := b.Providers.Find(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Providers.Change(ctx, i, func(v *provider.ServiceProvider) error {
		if v.Policy == nil {
			v.Policy = &provider.Policy{}
		}
		change(v.Policy)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Line makes an active line of a person.
func (b *Bench) Line(ctx context.Context, t testing.TB, change ...func(*party.Individual)) id.ID {
	t.Helper()
	b.lines++
	p := &party.Individual{GivenName: "Jane", FamilyName: "Doe"}
	for _, f := range change {
		f(p)
	}
	a, err := b.Accounts.OpenPrepaid(ctx, account.NewPrepaid{Individual: p})
	if err != nil {
		t.Fatal(err)
	}
	i, _, err := b.Subscriptions.Lines.Add(ctx, &subscription.Line{
		AccountID: a, State: subscription.Active, MSISDN: msisdn.Number(fmt.Sprintf("4179%07d", b.lines)), ICCID: fmt.Sprintf("8941%015d", b.lines),
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Work runs what is due until nothing is; a job that fails is told and due again when the clock has moved.
func (b *Bench) Work(ctx context.Context, t testing.TB) (failed []error) {
	t.Helper()
	all := b.Jobs()
	for kind, h := range b.WaitingJobs() {
		all[kind] = h
	}
	for {
		jobs, err := b.Store.ClaimJobs(ctx, 20, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			return failed
		}
		for _, j := range jobs {
			if err := all[j.Kind](ctx, j); err != nil {
				failed = append(failed, err)
				if err := b.Store.FailJob(ctx, j, b.Clock.Now().Add(time.Second), err.Error()); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if err := b.Store.FinishJob(ctx, j); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Pass lets time pass, a step at a time, and works after each.
func (b *Bench) Pass(ctx context.Context, t testing.TB, all, step time.Duration) {
	t.Helper()
	for end := b.Clock.Now().Add(all); b.Clock.Now().Before(end); {
		b.Clock.Advance(step)
		b.Work(ctx, t)
	}
}
