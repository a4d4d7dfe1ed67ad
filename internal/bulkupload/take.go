package bulkupload

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (s *Service) sims(ctx context.Context, u Upload, all []row) (map[int]error, error) {
	list := make([]inventory.SIM, len(all))
	for n, r := range all {
		list[n] = inventory.SIM{ICCID: r.fields["iccid"], IMSI: r.fields["imsi"], Form: first(r.fields["simtype"], u.SIMType), Batch: u.BatchID}
	}
	return s.Inventory.AddSIMList(ctx, list, u.ICCIDForm)
}

func (s *Service) numbers(ctx context.Context, u Upload, all []row) (map[int]error, error) {
	groups := map[string]inventory.Group{}
	bad := map[int]error{}
	var currency money.Currency
	list := make([]inventory.Number, 0, len(all))
	var at []int
	for n, r := range all {
		v := inventory.Number{Value: msisdn.Number(r.fields["msisdn"]), Class: inventory.Class(r.fields["pricing"]), Group: first(r.fields["msisdngroup"], u.Group)}
		if v.Group != "" {
			g, known := groups[v.Group]
			if !known {
				var err error
				if g, err = s.Inventory.GroupNamed(ctx, v.Group); fault.KindOf(err) == fault.NotFound {
					bad[n] = err
					continue
				} else if err != nil {
					return nil, err
				}
				groups[v.Group] = g
			}
			v.Class, v.Price = inventory.Class(first(string(v.Class), string(g.Class))), g.Price
		}
		if text := r.fields["price"]; text != "" {
			if currency == "" {
				p, err := s.Providers.Current(ctx)
				if err != nil {
					return nil, err
				}
				currency = p.Currency
			}
			price, err := money.Parse(text, currency)
			if err != nil {
				bad[n] = err
				continue
			}
			v.Price = &price
		}
		list, at = append(list, v), append(at, n)
	}
	wrong, err := s.Inventory.AddNumberList(ctx, list)
	for n, why := range wrong {
		bad[at[n]] = why
	}
	return bad, err
}

// sale is what a plan gives to lines that are made ahead.
type sale struct {
	id       id.ID
	offering catalog.Offering
	prices   []subscription.Price
}

// plan finds a price plan by its key.
func (s *Service) plan(ctx context.Context, key string, now time.Time) (p sale, err error) {
	if p.id, err = s.Catalog.ByKey(ctx, key); err != nil {
		return p, err
	}
	if p.offering, err = s.Catalog.Offering(ctx, p.id); err != nil {
		return p, err
	}
	if p.offering.OfferingType != catalog.PricePlan {
		return p, fault.Invalidf("plan", "%s is no price plan", key)
	}
	if strings.EqualFold(p.offering.PaidType, account.Postpaid) {
		return p, fault.Invalidf("plan", "%s is postpaid: only prepaid lines are made ahead of their sale", key)
	}
	if err = p.offering.Sellable(now); err != nil {
		return p, err
	}
	p.prices, err = subscription.LinePrices(p.offering)
	return p, err
}

// subscribers makes lines that are available: each has a number, a SIM, a plan, and an account of its own that nobody is
// registered for yet. An account each, and not one for all, since a line never changes its account or its home: who
// registers takes over the account, and the lines of an upload are spread over all homes.
func (s *Service) subscribers(ctx context.Context, i id.ID, _ Upload, all []row) (map[int]error, error) {
	p, err := s.Providers.Current(ctx)
	if err != nil {
		return nil, err
	}
	b := ahead{s: s, now: s.store.Now(ctx), currency: p.Currency, bad: map[int]error{}, upload: i}
	if err := b.read(ctx, all); err != nil {
		return nil, err
	}
	if err := b.supply(ctx); err != nil {
		return nil, err
	}
	return b.bad, b.open(ctx)
}

// ahead is lines that are about to be made.
type ahead struct {
	s        *Service
	now      time.Time
	currency money.Currency
	upload   id.ID
	bad      map[int]error
	list     []inventory.Supply
	plans    []sale
	money    []money.Amount
	supplies *inventory.Supplies
}

// read reads what the rows ask for.
func (b *ahead) read(ctx context.Context, all []row) error {
	known := map[string]sale{}
	unknown := map[string]error{}
	b.list, b.plans, b.money = make([]inventory.Supply, len(all)), make([]sale, len(all)), make([]money.Amount, len(all))
	for n, r := range all {
		key := r.fields["plan"]
		p, ok := known[key]
		if !ok && unknown[key] == nil {
			var err error
			if p, err = b.s.plan(ctx, key, b.now); fault.KindOf(err) == fault.Internal || fault.KindOf(err) == fault.Unavailable {
				return err
			} else if err != nil {
				unknown[key] = err
			} else {
				known[key] = p
			}
		}
		b.bad[n] = unknown[key]
		b.plans[n], b.money[n] = p, money.OfMicros(0, b.currency)
		if o := p.offering.OpeningBalance; o != nil {
			b.money[n] = *o
		}
		if text := r.fields["balance"]; text != "" {
			m, err := money.Parse(text, b.currency)
			if err == nil && m.Micros() < 0 {
				err = fault.Invalidf("balance", "a balance is not opened with less than nothing")
			}
			if err != nil && b.bad[n] == nil {
				b.bad[n] = err
			}
			b.money[n] = m
		}
		b.list[n] = inventory.Supply{
			Number: inventory.Number{Value: msisdn.Number(r.fields["msisdn"])},
			SIM:    inventory.SIM{ICCID: r.fields["iccid"], IMSI: r.fields["imsi"], Form: r.fields["simtype"]},
		}
		if b.bad[n] == nil {
			delete(b.bad, n)
		}
	}
	return nil
}

// neighbours is how many lines of a file, one after the other, share a home: each home that a transaction writes to costs
// it pages of its own in every index that is ordered by home.
const neighbours = 50

// supply opens an account for each line and gives it its number and SIM.
func (b *ahead) supply(ctx context.Context) error {
	numbers := make([]msisdn.Number, len(b.list))
	var home id.Home
	for n := range b.list {
		numbers[n] = b.list[n].Number.Value
		if n%neighbours == 0 {
			home = id.RandomHome()
		}
		b.list[n].Line = id.New(subscription.Kind, home, b.now)
	}
	used, err := b.s.Subscriptions.Numbered(ctx, numbers...)
	if err != nil {
		return err
	}
	for n, v := range numbers {
		if used[string(v)] != "" && b.bad[n] == nil {
			b.bad[n] = fault.Conflictf(subscription.CodeNumberInUse, "the mobile number %s is in use", v)
		}
	}
	b.supplies, err = b.s.Inventory.LookUp(ctx, b.list, inventory.EitherForm, b.bad)
	return err
}

// open stores the lines that nothing is wrong with: what they may spend first, while their documents are written beside
// it, then their accounts, themselves, and what they need.
func (b *ahead) open(ctx context.Context) error {
	var names []string
	var good []int
	var accounts, ids []id.ID
	var holders []balance.Holder
	var lines []subscription.Line
	for n := range b.list {
		if b.bad[n] != nil {
			continue
		}
		v := b.list[n]
		home, _ := v.Line.Home()
		a := id.New(account.BillingKind, home, b.now)
		good, ids, accounts, names = append(good, n), append(ids, v.Line), append(accounts, a), append(names, "Prepaid "+string(v.Number.Value))
		holders = append(holders, balance.Holder{Subscription: v.Line, Account: a, Number: string(v.Number.Value)})
		lines = append(lines, b.line(n, a, names[len(names)-1]))
	}
	var opening *account.Anonymous
	var drafted *subscription.Drafted
	ready := beside(func() (err error) {
		if drafted, err = b.s.Subscriptions.Draft(ids, lines); err != nil {
			return err
		}
		if err = b.supplies.Prepare(); err != nil {
			return err
		}
		opening, err = b.s.Accounts.Anonymous(b.now, accounts, names)
		return err
	})
	err := b.balances(ctx, good, holders)
	if notReady := ready(); err == nil {
		err = notReady
	}
	if err != nil {
		return err
	}
	if err := opening.Open(ctx); err != nil {
		return err
	}
	if err := b.supplies.Assign(ctx); err != nil {
		return err
	}
	return b.s.Subscriptions.AddMany(ctx, drafted)
}

// beside does something that needs no database while that is busy with something else; wait gives its outcome.
func beside(do func() error) (wait func() error) {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fault.Internalf(fmt.Errorf("panic: %v", v), "the rows cannot be made ready")
			}
		}()
		done <- do()
	}()
	return func() error { return <-done }
}

func (b *ahead) line(n int, a id.ID, name string) subscription.Line {
	v, p := b.list[n], b.plans[n]
	return subscription.Line{
		Name: p.offering.Name, State: subscription.Available, StateSince: &b.now, AccountID: a, SubscriptionType: account.Prepaid,
		MSISDN: v.Number.Value, ICCID: v.SIM.ICCID, IMSI: v.SIM.IMSI,
		BillingAccount: &sid.Ref{ID: string(a), Name: name}, Resources: v.Resources(),
		Offering: &sid.Ref{ID: string(p.id), Name: p.offering.Name}, Prices: p.prices,
		Plans: []subscription.PlanPeriod{{Offering: p.id, Name: p.offering.Name, Prices: p.prices, From: b.now, ToBegin: true}},
	}
}

// balances opens the money of each line.
func (b *ahead) balances(ctx context.Context, good []int, holders []balance.Holder) error {
	wallets, err := b.s.Balances.Fresh(ctx, holders)
	if err != nil {
		return err
	}
	for n, at := range good {
		p := b.plans[at]
		if _, err := wallets[n].Open(balance.Grant{
			Name: "Main balance", UsageType: catalog.Monetary, Unit: string(b.currency), Amount: b.money[at].Micros(),
			Offering: p.id, OfferingName: p.offering.Name,
		}, balance.Cause{Kind: Kind.Name, ID: string(b.upload), Text: "Opening balance of " + p.offering.Name}); err != nil {
			return err
		}
	}
	return b.s.Balances.Save(ctx, wallets...)
}
