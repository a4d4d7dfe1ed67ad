package order

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

const (
	// CodeOtherAccount is an order for a line of another account.
	CodeOtherAccount fault.Code = "subscriptionOfAnotherAccount"
	// CodeLineState is an order for a line whose state does not allow it.
	CodeLineState fault.Code = "subscriptionStateNotAllowed"
	// CodeNoPorting is an order with a number to port in where nothing does that.
	CodeNoPorting fault.Code = "portingNotAvailable"
	// CodeNoAutoTopup is an order with an automatic top-up where nothing does that.
	CodeNoAutoTopup fault.Code = "automaticTopupNotAvailable"
	// CodeNoReferral is an order with a referral code where nothing takes those.
	CodeNoReferral fault.Code = "referralNotAvailable"
)

// provide plans a new line.
func (p *planner) provide(ctx context.Context, at visitable, o *offer) error {
	if p.v.BillingAccount == nil || p.v.BillingAccount.ID == "" {
		if err := p.wrong.add("billingAccount", fault.Invalidf("", "billingAccount is mandatory: the account that the subscription belongs to")); err != nil {
			return err
		}
	} else if p.accountID != "" {
		if err := p.wrong.add(at.at+".productOffering", p.suits(ctx, o)); err != nil {
			return err
		}
	}
	if err := p.quantity(at, o); err != nil {
		return err
	}
	if at.it.Product != nil {
		at.it.Product.ID = ""
	}
	if err := p.wishes(ctx, at.at, at.it); err != nil {
		return err
	}
	l := &line{at: at.at, plan: o.id, opening: openingBalance(o.Offering)}
	process := newLine
	if at.it.Product.asks(CharDonor) != "" {
		process, p.expects = portIn, portTakes
	}
	if err := p.does(at, process, l, o); err != nil {
		return err
	}
	p.made[at.it] = l
	return nil
}

// suits refuses a plan that the account cannot be on.
func (p *planner) suits(ctx context.Context, o *offer) error {
	if o.PaidType != "" && o.PaidType != p.account.PaidType() {
		return fault.Conflictf(CodePlanMismatch, "%s is a %s plan and the account is %s", o.Name, o.PaidType, p.account.PaidType())
	}
	if p.account.PaidType() != account.Prepaid {
		return fault.Conflictf(CodePlanMismatch, "subscriptions on a postpaid account are not supported yet")
	}
	return p.inCurrency(ctx, o)
}

// inCurrency refuses an offering that is sold in another currency than the account's.
func (p *planner) inCurrency(ctx context.Context, o *offer) error {
	if p.accountID == "" {
		return nil
	}
	currency, err := p.s.Accounts.CurrencyOf(ctx, p.account)
	if err != nil {
		return err
	}
	if _, err := o.FirstCharges(); err != nil {
		return err
	}
	in := func(c money.Currency) error {
		if c == currency {
			return nil
		}
		return fault.Conflictf(CodePlanMismatch, "%s is sold in %s and the account is in %s", o.Name, c, currency)
	}
	if o.OpeningBalance != nil {
		if err := in(o.OpeningBalance.Currency()); err != nil {
			return err
		}
	}
	for _, one := range o.Prices {
		if one.Price == nil || one.Price.IsZero() || one.Due() == "" {
			continue
		}
		if err := in(one.Price.Currency()); err != nil {
			return err
		}
	}
	return nil
}

func openingBalance(o catalog.Offering) int64 {
	if o.OpeningBalance == nil {
		return 0
	}
	return o.OpeningBalance.Micros()
}

// included plans what comes with a new line: the line's own item carries it out.
func (p *planner) included(ctx context.Context, at visitable, o *offer) error {
	if o == nil {
		return nil
	}
	l := p.made[at.parent]
	if at.it.Action != actionAdd {
		return p.wrong.add(at.at+".action", fault.Invalidf("", "what comes with a new subscription is added"))
	}
	if !sellable(o) {
		return p.wrong.add(at.at+".productOffering", fault.Conflictf(CodePlanMismatch, "%s does not go with a new subscription", o.Name))
	}
	if at.it.Product == nil {
		at.it.Product = &Product{}
	}
	if err := p.fits(ctx, at, l, o); err != nil {
		return err
	}
	return p.price(at.at, at.it, l, o)
}

// fits checks an add-on, or goods, against a line, and puts it there.
func (p *planner) fits(ctx context.Context, at visitable, l *line, o *offer) error {
	if err := p.quantity(at, o); err != nil {
		return err
	}
	if err := p.wrong.add(at.at+".productOffering", p.inCurrency(ctx, o)); err != nil || o.goods() {
		return err
	}
	if err := p.wrong.add(at.at+".productOffering", pathless(p.s.Catalog.Fits(ctx, l.plan, o.id, l.offerings()))); err != nil {
		return err
	}
	for range max(at.it.Quantity, 1) {
		l.held = append(l.held, heldProduct{offering: o.id})
	}
	return nil
}

// addition plans an add-on, or goods, for a line that is there, or for the one new line of the order.
func (p *planner) addition(ctx context.Context, at visitable, lineID id.ID, o *offer) error {
	if lineID == "" {
		l, err := p.onlyMade(at)
		if l == nil || err != nil {
			return err
		}
		if err := p.fits(ctx, at, l, o); err != nil {
			return err
		}
		return p.does(at, addProduct, l, o)
	}
	l, err := p.line(ctx, at.at, lineID)
	if l == nil || err != nil {
		return err
	}
	if err := l.takes(o); err != nil {
		return p.wrong.add(at.at+".product.id", err)
	}
	if err := p.fits(ctx, at, l, o); err != nil {
		return err
	}
	if err := p.wakes(ctx, l); err != nil {
		return err
	}
	return p.does(at, addProduct, l, o)
}

// wakes has a line that is not used yet owe what its own plan costs at its beginning.
func (p *planner) wakes(ctx context.Context, l *line) error {
	if !l.asleep {
		return nil
	}
	l.asleep = false
	plan, err := p.s.Catalog.Offering(ctx, l.plan)
	if err != nil {
		return err
	}
	charges, err := plan.FirstCharges()
	for _, c := range charges {
		l.due += c.Gross.Micros()
	}
	return err
}

// takes refuses an add-on, or goods, for what the state of the line does not allow.
func (l *line) takes(o *offer) error {
	switch {
	case l.bare:
		return fault.Conflictf(CodeLineState, "the subscription is blocked: order a price plan first")
	case o.goods():
		return l.may("nothing is charged to it", append(changeable, subscription.Available)...)
	}
	return l.may("nothing can be added to it", sellableTo...)
}

// replans refuses another plan, or one again, for what the state of the line does not allow.
func (l *line) replans() error {
	states := sellableTo
	if l.bare {
		states = []subscription.State{subscription.Locked}
	}
	return l.may("its price plan cannot be changed", states...)
}

// onlyMade is the one new line of the order, and notes that the item is for it.
func (p *planner) onlyMade(at visitable) (*line, error) {
	if len(p.made) == 1 {
		for it, l := range p.made {
			at.it.With = it.ID
			return l, nil
		}
	}
	return nil, p.wrong.add(at.at+".product.id", fault.Invalidf("", "product.id is mandatory: the subscription that it is for"))
}

// changePlan plans another price plan for a line, or a plan again for one that is blocked.
func (p *planner) changePlan(ctx context.Context, at visitable, lineID id.ID, o *offer) error {
	l, err := p.line(ctx, at.at, lineID)
	if l == nil || err != nil {
		return err
	}
	if err := p.quantity(at, o); err != nil {
		return err
	}
	process := changePlan
	if l.bare {
		process = unblock
	}
	if err := l.replans(); err != nil {
		return p.wrong.add(at.at+".product.id", err)
	}
	if err := p.wrong.add(at.at+".productOffering", p.suits(ctx, o)); err != nil {
		return err
	}
	if !l.bare {
		if err := p.wrong.add(at.at+".productOffering", pathless(p.s.Catalog.MayChange(ctx, l.plan, o.id))); err != nil {
			return err
		}
	}
	if err := p.stillFit(ctx, at, l, o); err != nil {
		return err
	}
	l.plan, l.bare, l.asleep = o.id, false, false
	return p.does(at, process, l, o)
}

// stillFit refuses a plan that does not go with what the line holds and the order leaves it.
func (p *planner) stillFit(ctx context.Context, at visitable, l *line, o *offer) error {
	leaving := map[id.ID]bool{}
	for _, it := range p.v.all() {
		if it.Action != actionDelete {
			continue
		}
		if it.Product != nil {
			leaving[id.ID(it.Product.ID)] = true
		}
		if i := refTo(it.Offering, catalog.Kind); i != "" {
			leaving[i] = true
		}
	}
	for _, h := range l.held {
		if leaving[h.id] || leaving[h.offering] {
			continue
		}
		if err := p.wrong.add(at.at+".productOffering", pathless(p.s.Catalog.Fits(ctx, o.id, h.offering, nil))); err != nil {
			return err
		}
	}
	return nil
}

// modification plans a change of what a line is made of: its plan, its SIM, its number, its characteristics.
func (p *planner) modification(ctx context.Context, at visitable, lineID id.ID, o *offer) error {
	if lineID == "" {
		return p.wrong.add(at.at+".product.id", fault.Invalidf("", "product.id is mandatory: the subscription that is changed"))
	}
	l, err := p.line(ctx, at.at, lineID)
	if l == nil || err != nil {
		return err
	}
	if o != nil && o.OfferingType == catalog.PricePlan && (o.id != l.plan || l.bare) {
		return p.changePlan(ctx, at, lineID, o)
	}
	if o != nil && o.OfferingType != catalog.PricePlan && o.OfferingType != catalog.SIMCard {
		return p.wrong.add(at.at+".productOffering", fault.Conflictf(CodePlanMismatch, "%s is not modified: add or delete it", o.Name))
	}
	if err := p.wrong.add(at.at+".product.id", l.may("it cannot be changed", changeable...)); err != nil {
		return err
	}
	if err := p.wishes(ctx, at.at, at.it); err != nil {
		return err
	}
	swaps := o != nil && o.OfferingType == catalog.SIMCard
	if !swaps && len(at.it.Product.Characteristics) == 0 {
		if len(at.it.Items) > 0 {
			at.it.Action = actionNone // only what is within it changes
			return nil
		}
		return p.wrong.add(at.at+".product", fault.Invalidf("", "nothing is to be modified: name a characteristic or another offering"))
	}
	if at.it.Product.asks(CharDonor) != "" {
		return p.wrong.add(at.at+".product", fault.Conflictf(CodeNoPorting, "a number is ported in with a new subscription"))
	}
	if !swaps {
		o = nil
	}
	return p.does(at, modifyLine, l, o)
}

// removal plans that an add-on, the plan, or the line ends.
func (p *planner) removal(ctx context.Context, at visitable, lineID, held id.ID, o *offer) error {
	if lineID == "" {
		return p.wrong.add(at.at+".product.id", fault.Invalidf("", "product.id is mandatory: the subscription, or what it holds"))
	}
	l, err := p.line(ctx, at.at, lineID)
	if l == nil || err != nil {
		return err
	}
	if held == "" && (o == nil || o.OfferingType == catalog.PricePlan) {
		return p.ending(at, l, o)
	}
	if err := l.may("nothing can be taken off it", append(changeable, subscription.Pending)...); err != nil {
		return p.wrong.add(at.at+".product.id", err)
	}
	for n, h := range l.held {
		if held != "" && h.id == held || held == "" && o != nil && h.offering == o.id {
			if h.id == "" {
				return p.wrong.add(at.at+".product.id", fault.Conflictf(CodeNotHeld, "the order itself adds it: leave both items out"))
			}
			l.held = append(l.held[:n:n], l.held[n+1:]...)
			at.it.Held = []id.ID{h.id}
			if at.it.Offering == nil {
				at.it.Offering = &sid.Ref{ID: string(h.offering)}
			}
			return p.does(at, removeProduct, l, nil)
		}
	}
	return p.wrong.add(at.at+".product.id", fault.Conflictf(CodeNotHeld, "the subscription does not hold it"))
}

// CodeNotHeld is the removal of what the line does not hold.
const CodeNotHeld fault.Code = "productNotHeld"

// ending plans that a line ends or, with Block, that its plan is taken off.
func (p *planner) ending(at visitable, l *line, o *offer) error {
	if o != nil && (o.id != l.plan || l.bare) {
		return p.wrong.add(at.at+".productOffering", fault.Conflictf(CodeNotHeld, "the subscription is not on %s", o.Name))
	}
	if at.it.Block {
		if err := l.may("its price plan cannot be taken off", changeable...); err != nil || l.bare {
			if err == nil {
				err = fault.Conflictf(CodeLineState, "the subscription is blocked already")
			}
			return p.wrong.add(at.at+".product.id", err)
		}
		l.bare = true
		return p.does(at, block, l, o)
	}
	if err := p.wrong.add(at.at+".product.id", l.may("it cannot be ended", changeable...)); err != nil {
		return err
	}
	l.ceased = true
	return p.does(at, cease, l, nil)
}

// extras checks what comes with the order beside its items.
func (p *planner) extras(ctx context.Context) error {
	if p.v.TopupToken != "" {
		err := p.forNewLine("an automatic top-up")
		switch {
		case p.s.AutoTopup == nil:
			err = fault.Conflictf(CodeNoAutoTopup, "automatic top-ups cannot be ordered: no payment methods are kept here")
		case err == nil && p.accountID != "":
			err = p.s.AutoTopup.Check(ctx, p.accountID, p.v.TopupToken, p.v.TopupAmount)
		}
		if err := p.wrong.add("atuTokenID", err); err != nil {
			return err
		}
	}
	if p.v.Referral == "" {
		return nil
	}
	err := p.forNewLine("a referral")
	switch {
	case p.s.Referral == nil:
		err = fault.Conflictf(CodeNoReferral, "referral codes are not taken here")
	case err == nil && p.accountID != "":
		err = p.s.Referral.Check(ctx, p.accountID, p.v.Referral)
	}
	return p.wrong.add("referralCode", err)
}

func (p *planner) forNewLine(what string) error {
	if len(p.made) == 1 {
		return nil
	}
	return fault.Invalidf("", "%s comes with an order of one new subscription", what)
}

// money refuses what cannot be paid.
func (p *planner) money(ctx context.Context) error {
	if p.accountID == "" {
		return nil // what is wrong with the account is told already
	}
	currency, err := p.s.Accounts.CurrencyOf(ctx, p.account)
	if err != nil {
		return err
	}
	for _, it := range p.v.all() {
		l := p.made[it]
		if l == nil || l.due <= l.opening {
			continue
		}
		err := fault.Conflictf(CodePlanMismatch, "the first charges come to %s and the opening balance is %s",
			money.OfMicros(l.due, currency), money.OfMicros(l.opening, currency))
		if err := p.wrong.add(l.at+".productOffering", err); err != nil {
			return err
		}
	}
	for _, l := range slices.SortedFunc(maps.Values(p.lines), func(a, b *line) int { return a.nth - b.nth }) {
		if l.due == 0 {
			continue
		}
		if err := p.wrong.add(l.at+".productOffering", p.s.affords(ctx, l, currency)); err != nil {
			return err
		}
	}
	return nil
}

// finish writes down the steps of an order that nothing is wrong with.
func (p *planner) finish(ctx context.Context) error {
	v := p.v
	for _, it := range v.all() {
		if it.Process != "" {
			it.Milestones = p.s.processes[it.Process].milestones(v, it)
		}
	}
	if !p.ours() {
		return v.total()
	}
	if !slices.ContainsFunc(v.all(), func(it *Item) bool { return it.Action != actionNone }) {
		v.close(p.now) // there is nothing to do, now or later
		return v.total()
	}
	start := p.now
	if v.RequestedStart != nil && v.RequestedStart.After(p.now) {
		v.State, start = PendingOrder, *v.RequestedStart
		for _, it := range v.all() {
			it.State = PendingOrder
		}
	}
	done := start.Add(max(p.expects, usuallyTakes))
	v.ExpectedCompletion = &done
	if err := p.takeCart(ctx); err != nil {
		return err
	}
	return v.total()
}

// How long orders take as far as anybody can tell beforehand.
const (
	usuallyTakes = time.Minute
	portTakes    = 24 * time.Hour
)
