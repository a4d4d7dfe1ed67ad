package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
	"github.com/demarc-bss/demarc/internal/voucher"
)

const (
	// every is after how many days at the latest a line's usage is taken in.
	every = 14
	// ingest is how many records are handed over at once.
	ingest = 2000
)

// What people do in a month, by chance.
const (
	changesPlan = 0.015
	leaves      = 0.012
	forgets     = 0.006
	// comesBack is the chance a day that a line that was suspended is paid after all.
	comesBack = 0.08
)

// use takes in what was used since the last time: of a fourteenth of the lines each day, and of those whose period ends
// or that did something, at once. all takes in everything.
func (p *play) use(ctx context.Context, all bool) error {
	var records []usage.Record
	var of []*subscriber
	flush := func() error {
		if len(records) == 0 {
			return nil
		}
		out, err := p.Usage.Ingest(ctx, records)
		if err != nil {
			return err
		}
		for n, o := range out {
			p.report.used(records[n], o)
			of[n].charged += o.Charged
			of[n].dry = of[n].dry || o.Uncollected > 0
		}
		records, of = records[:0], of[:0]
		return nil
	}
	for _, s := range p.lines {
		if s.mood != uses || !all && !p.due(s) {
			continue
		}
		for _, r := range s.since(p) {
			records, of = append(records, r), append(of, s)
		}
		if len(records) >= ingest {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// due reports whether a line's usage is to be taken in today.
func (p *play) due(s *subscriber) bool {
	return (s.n+p.day)%every == 0 || !s.barred && !s.next.IsZero() && !s.next.After(p.now)
}

// since gives what a subscriber used since the last time.
func (s *subscriber) since(p *play) (out []usage.Record) {
	for s.until.Before(p.now) {
		next := s.until.In(p.zone).AddDate(0, 0, 1).UTC()
		if next.After(p.now) {
			next = p.now
		}
		if !s.barred && !s.dry { // who cannot pay, or is barred, leaves no records
			out = append(out, s.day(next, p.zone, &p.shop.plans[s.plan])...)
		}
		s.until = next
	}
	return out
}

// live lets people look after their lines: those whose usage was just taken in, and those that wait for money.
func (p *play) live(ctx context.Context) error {
	var busy []*subscriber
	for _, s := range p.lines {
		if s.mood == uses && s.until.Equal(p.now) {
			busy = append(busy, s)
		}
	}
	type wish struct {
		s    *subscriber
		what string
		id   id.ID
	}
	var wishes []wish
	err := together(ctx, p, busy, 128, func(ctx context.Context, s *subscriber) error {
		what, o, err := p.care(ctx, s)
		if o != "" {
			wishes = append(wishes, wish{s, what, o})
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	for _, w := range wishes {
		o, _, err := p.Orders.Orders.Get(ctx, w.id)
		if err != nil {
			return err
		}
		p.report.Orders.tell(w.what, o.State)
	}
	return nil
}

// care is what one subscriber does about its line now and then: at most one order.
func (p *play) care(ctx context.Context, s *subscriber) (what string, o id.ID, err error) {
	const part = every / 30.0 // of a month
	spent := s.charged
	s.charged, s.weekly = 0, (s.weekly*3+spent)/4
	line, _, err := p.Subscriptions.Lines.Get(ctx, s.line)
	if err != nil {
		return "", "", err
	}
	if line.State.Ended() {
		s.leave(p, "lapsed")
		return "", "", nil
	}
	s.next = time.Time{}
	if line.Renewal != nil {
		s.next = line.Renewal.Next
	}
	d := s.chance.Float64()
	switch {
	case d < leaves*part:
		s.leave(p, "left")
		o, err = p.order(ctx, s, order.Item{Action: "delete", Product: &order.Product{ID: string(s.line)}})
		return "cease", o, err
	case d < (leaves+forgets)*part:
		s.leave(p, "fell silent")
		s.mood = silent
		return "", "", nil
	}
	s.barred = line.State != subscription.Active && line.State != subscription.NonPaymentWarned && line.State != subscription.Dormant
	held, err := p.topUp(ctx, s, line)
	if err != nil || line.State != subscription.Active {
		return "", "", err
	}
	at := p.shop.plans[s.plan]
	if s.chance.Float64() < changesPlan*part {
		to := min(max(s.plan+1-2*s.chance.IntN(2), 0), len(p.shop.plans)-1)
		if to != s.plan && held >= p.shop.plans[to].charge {
			o, err = p.order(ctx, s, order.Item{Action: "modify", Offering: &sid.Ref{ID: string(p.shop.plans[to].id)}, Product: &order.Product{ID: string(s.line)}})
			if o != "" {
				s.plan, s.next = to, p.now
			}
			return "change of plan", o, err
		}
	}
	if a := at.worth(s, spent, held); a != nil {
		o, err = p.order(ctx, s, order.Item{Action: "add", Offering: &sid.Ref{ID: string(a.id)}, Product: &order.Product{ID: string(s.line)}})
		return "add-on", o, err
	}
	return "", "", nil
}

// worth is the add-on that would have been cheaper than what was spent on usage, if there is one; some buy one
// because they like it.
func (p *plan) worth(s *subscriber, spent, held int64) *addOn {
	whim := s.chance.Float64() < 0.01
	if len(p.addOns) == 0 {
		return nil
	}
	first := s.chance.IntN(len(p.addOns))
	for n := range p.addOns {
		a := &p.addOns[(first+n)%len(p.addOns)]
		if a.price <= held && (whim || a.data && a.price > 0 && spent > a.price) {
			return a
		}
	}
	return nil
}

// leave notes that a subscriber is no customer any more.
func (s *subscriber) leave(p *play, why string) {
	s.mood, s.left = gone, p.now
	p.report.Churn[why]++
}

// order places an order for a line; what the shop refuses is counted and forgotten.
func (p *play) order(ctx context.Context, s *subscriber, it order.Item) (id.ID, error) {
	o, _, err := p.Orders.Place(ctx, &order.Order{BillingAccount: &sid.Ref{ID: string(s.account)}, Items: []order.Item{it}})
	switch fault.KindOf(err) {
	case fault.None:
		return o, nil
	case fault.Conflict:
		p.report.Refused[string(fault.From(err).Code)]++
		return "", nil
	}
	return "", err
}

// topUp pays in what the next weeks cost, when that is more than there is, and says what there is then.
func (p *play) topUp(ctx context.Context, s *subscriber, line subscription.Line) (int64, error) {
	_, b, err := p.Balances.Money(ctx, s.line)
	if code := fault.From(err); code != nil && code.Code == balance.CodeNoMoney {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	held, err := money.Parse(string(b.Remaining.Amount), p.currency)
	if err != nil {
		return 0, err
	}
	need := s.weekly * 3 / 2
	at := p.shop.plans[s.plan]
	waits := line.Renewal != nil && line.Renewal.UnpaidSince != nil
	if r := line.Renewal; r != nil {
		soon := p.now.AddDate(0, 0, every+1)
		for n := 0; at.period.After(r.Next, n, p.zone).Before(soon); n++ {
			need += at.charge
		}
	}
	if !at.renews {
		need = max(need, 2*money.Micros)
	}
	prompt := s.habit.prompt
	if waits && line.State != subscription.Active {
		prompt = comesBack * every
	}
	if !s.dry && held.Micros() >= need || s.chance.Float64() >= prompt {
		s.dry = s.dry || waits // whose plan did not renew does without, rather than to pay for each megabyte
		return held.Micros(), nil
	}
	amount := pay(need - held.Micros())
	s.dry, s.barred = false, s.barred && held.Micros()+amount < at.charge
	if s.chance.Float64() < s.habit.vouchers && amount <= largestVoucher {
		err = p.scratch(ctx, s, amount)
	} else {
		p.report.Topups.Payments++
		_, _, _, err = p.Balances.TopUp(ctx, balance.TopupOrder{
			Subscription: s.line, Amount: money.OfMicros(amount, p.currency), Reference: fmt.Sprintf("%s-%d", source, p.report.Topups.Payments), Reason: "simulation",
		})
		p.report.Topups.paid(amount)
	}
	return held.Micros() + amount, err
}

// notes are the amounts that people pay in, in micros, and largestVoucher the largest that vouchers have.
var notes = []int64{5 * money.Micros, 10 * money.Micros, 20 * money.Micros, 30 * money.Micros, 50 * money.Micros}

const largestVoucher = 20 * money.Micros

// pay is the smallest amount that covers a need.
func pay(need int64) int64 {
	for _, n := range notes {
		if n >= need {
			return n
		}
	}
	return notes[len(notes)-1]
}

// stock is codes of vouchers of one value that nobody has used yet.
type stock struct{ codes []string }

// scratch spends a voucher; now and then somebody mistypes it first.
func (p *play) scratch(ctx context.Context, s *subscriber, amount int64) error {
	code, err := p.voucher(ctx, amount)
	if err != nil {
		return err
	}
	if s.chance.Float64() < 0.02 {
		err := p.Vouchers.Admit(ctx, s.line, "00000000000000")
		if fault.From(err).Code != voucher.Unavailable {
			return err
		}
		p.report.Topups.Mistyped++
	}
	if err := p.Vouchers.Admit(ctx, s.line, code); err != nil {
		return err
	}
	if _, err = p.Vouchers.Recharge(ctx, s.line, code); err != nil {
		return err
	}
	p.report.Topups.Vouchers++
	p.report.Topups.paid(amount)
	return nil
}

// print makes a batch of vouchers and has them on sale.
func (p *play) print(ctx context.Context, value int64, count int) error {
	i, _, err := p.Vouchers.Generate(ctx, voucher.NewBatch{Count: count, Terms: voucher.Terms{Value: money.OfMicros(value, p.currency)}})
	if err != nil {
		return err
	}
	if err := p.work(ctx); err != nil {
		return err
	}
	file, err := p.Vouchers.HandOut(ctx, i, "simulation")
	if err != nil {
		return err
	}
	if _, err := p.Vouchers.SetBatch(ctx, i, voucher.Available, "on sale"); err != nil {
		return err
	}
	st := p.vouchers[value]
	if st == nil {
		st = &stock{}
		p.vouchers[value] = st
	}
	for line := range strings.Lines(file) {
		if _, code, ok := strings.Cut(strings.TrimSpace(line), ","); ok && code != "voucherCode" {
			st.codes = append(st.codes, code)
		}
	}
	p.report.Topups.Printed += count
	return nil
}

var errSoldOut = errors.New("there are no vouchers left")

// voucher takes a voucher from the shelf.
func (p *play) voucher(_ context.Context, value int64) (string, error) {
	st := p.vouchers[value]
	if st == nil || len(st.codes) == 0 {
		return "", errSoldOut
	}
	code := st.codes[len(st.codes)-1]
	st.codes = st.codes[:len(st.codes)-1]
	return code, nil
}

// restock prints vouchers of every value of which few are left, before a day begins.
func (p *play) restock(ctx context.Context) error {
	for _, value := range notes {
		if value > largestVoucher {
			break
		}
		if st := p.vouchers[value]; st == nil || len(st.codes) < p.o.Subscribers/10+20 {
			if err := p.print(ctx, value, p.o.Subscribers/4+50); err != nil {
				return err
			}
		}
	}
	return nil
}
