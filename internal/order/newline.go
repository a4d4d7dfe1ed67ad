package order

import (
	"context"
	"strings"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/subscription"
)

const (
	chosenNumber = "number"
	chosenSIM    = "sim"
)

// line is the subscription that the item makes or works on.
func (w *Work) line() id.ID {
	if w.Item.With != "" {
		if made := w.Order.item(w.Item.With); made != nil && made.State == Completed {
			return id.ID(made.Product.ID)
		}
		return ""
	}
	return id.ID(w.product().ID)
}

func (w *Work) product() *Product {
	if w.Item.Product == nil {
		w.Item.Product = &Product{}
	}
	return w.Item.Product
}

// cause is what postings that follow from the item name: the order or, for the items after the first, order and
// item, so that one can be taken back without the others.
func (w *Work) cause(text string) balance.Cause {
	c := balance.Cause{Kind: Kind.Name, ID: string(w.ID), Text: text}
	for _, it := range w.Order.all() {
		if it.Process != "" {
			if it.ID != w.Item.ID {
				c.ID += "/" + w.Item.ID
			}
			break
		}
	}
	return c
}

// takenBack is the cause of what compensates a step.
func (w *Work) takenBack() balance.Cause { return w.cause("Taken back: the order was not carried out") }

// chooseResources looks for the number and the SIM that the item needs.
func (s *Service) chooseResources(ctx context.Context, w *Work) (err error) {
	p := w.product()
	number, sim := w.Item.Process == newLine, true
	if w.Item.Process == modifyLine {
		number, sim = p.asks(CharMSISDN) != "", p.asks(CharICCID) != "" || w.Item.Offering != nil
	}
	if number {
		if w.Chosen[chosenNumber], err = s.Inventory.PickNumber(ctx, msisdn.Number(p.asks(CharMSISDN))); err != nil {
			return err
		}
	}
	if !sim {
		return nil
	}
	if iccid := p.asks(CharICCID); iccid != "" {
		w.Chosen[chosenSIM], err = s.Inventory.PickSIM(ctx, iccid)
		return err
	}
	form, err := s.simForm(ctx, w)
	if err != nil {
		return err
	}
	w.Chosen[chosenSIM], err = s.Inventory.PickSIMOf(ctx, form)
	return err
}

// simForm is the kind of SIM that the item, or something in it, sells; a plastic one when nothing does.
func (s *Service) simForm(ctx context.Context, w *Work) (string, error) {
	of := []*sid.Ref{w.Item.Offering}
	for n := range w.Item.Items {
		of = append(of, w.Item.Items[n].Offering)
	}
	for _, it := range w.Order.all() {
		if it.With == w.Item.ID {
			of = append(of, it.Offering)
		}
	}
	for _, r := range of {
		i := refTo(r, catalog.Kind)
		if i == "" {
			continue
		}
		o, _, err := s.Catalog.Offerings.Get(ctx, i)
		if err != nil {
			return "", err
		}
		if o.OfferingType == catalog.SIMCard && embedded(o) {
			return inventory.ESIM, nil
		}
	}
	return inventory.PlasticSIM, nil
}

// embedded reports whether a SIM offering sells a profile and no card: its simType, or else its key, says so.
func embedded(o catalog.Offering) bool {
	if form, ok := o.Rest["simType"]; ok {
		return strings.EqualFold(textOf(form), inventory.ESIM)
	}
	return strings.Contains(strings.ReplaceAll(strings.ToLower(o.Key), "-", ""), "esim")
}

// reserve takes what was chosen. The item shows it under its characteristics.
func (s *Service) reserve(ctx context.Context, w *Work) error {
	p := w.product()
	var taken []sid.Ref
	var number inventory.Number
	var sim inventory.SIM
	if i := w.Chosen[chosenNumber]; i != "" {
		by, err := s.reservers(ctx, w.Order)
		if err != nil {
			return err
		}
		if number, err = s.Inventory.ReserveNumber(ctx, i, w.ID, by...); err != nil {
			return redrawable(err, p.asks(CharMSISDN))
		}
		taken = append(taken, sid.Ref{ID: string(i), Name: string(number.Value), ReferredType: number.Type})
	}
	if i := w.Chosen[chosenSIM]; i != "" {
		var err error
		if sim, err = s.Inventory.ReserveSIM(ctx, i, w.ID); err != nil {
			return redrawable(err, p.asks(CharICCID))
		}
		taken = append(taken, sid.Ref{ID: string(i), Name: sim.ICCID, ReferredType: sim.Type})
	}
	p.Resources = taken
	if number.Value != "" {
		p.set(CharMSISDN, string(number.Value))
	}
	if sim.ICCID != "" {
		p.set(CharICCID, sim.ICCID)
		p.set(charIMSI, sim.IMSI)
	}
	return nil
}

// reservers are those that something reserved beforehand may have been reserved for: the account, its customer, whom
// else the order names, and the reservation that it names itself.
func (s *Service) reservers(ctx context.Context, v *Order) ([]id.ID, error) {
	var out []id.ID
	if i := refTo(v.BillingAccount, account.BillingKind); i != "" {
		a, _, err := s.Accounts.Billing.Get(ctx, i)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
		if c := a.Customer(); c != "" {
			out = append(out, c)
		}
	}
	for _, r := range v.RelatedParty {
		out = append(out, id.ID(r.ID))
	}
	for _, d := range v.UserData {
		if strings.EqualFold(d.Name, "RESERVATION_ID") {
			out = append(out, id.ID(d.Value))
		}
	}
	return out, nil
}

// redrawable has a taken resource chosen anew, unless it is the one that was asked for.
func redrawable(err error, wish string) error {
	if f := fault.From(err); f.Code == inventory.CodeTaken && wish == "" {
		return fault.Conflictf(codeRedraw, "what was chosen was taken meanwhile").Because(err)
	}
	return err
}

func (s *Service) unreserve(ctx context.Context, w *Work) error {
	p := w.product()
	if err := s.Inventory.Release(ctx, p.resource(inventory.NumberKind), p.resource(inventory.SIMKind), w.ID); err != nil {
		return err
	}
	p.Resources = nil
	return nil
}

// subscribe makes the line, pending.
func (s *Service) subscribe(ctx context.Context, w *Work) error {
	a, o, err := s.accountAndOffering(ctx, w)
	if err != nil {
		return err
	}
	if !a.State.MayOrder() {
		return fault.Conflictf(CodeAccountBarred, "the account %s is %s meanwhile", a.AccountNumber, a.State)
	}
	p := w.product()
	prices, err := subscription.LinePrices(o)
	if err != nil {
		return err
	}
	v := &subscription.Line{
		Name: o.Name, AccountID: id.ID(w.Order.BillingAccount.ID), SubscriptionType: a.PaidType(),
		MSISDN: msisdn.Number(p.asks(CharMSISDN)), ICCID: p.asks(CharICCID), IMSI: p.asks(charIMSI),
		BillingAccount:  &sid.Ref{ID: w.Order.BillingAccount.ID, Name: a.Name},
		Offering:        &sid.Ref{ID: w.Item.Offering.ID, Name: o.Name},
		Prices:          prices,
		Characteristics: p.Characteristics,
		RelatedParty:    a.RelatedParty,
		Resources:       p.Resources,
		OrderDate:       &w.Order.OrderDate,
		OrderItems:      []subscription.OrderItem{w.orderItem()},
	}
	if w.Item.Process == portIn {
		v.NumberOwnership = "portedIn"
	}
	line, _, err := s.Subscriptions.Lines.Add(ctx, v)
	if err != nil {
		return err
	}
	if err := s.Inventory.Assign(ctx, p.resource(inventory.NumberKind), p.resource(inventory.SIMKind), w.ID, line); err != nil {
		return err
	}
	p.ID, p.Name = string(line), o.Name
	return nil
}

func (w *Work) orderItem() subscription.OrderItem {
	return subscription.OrderItem{Action: w.Item.Action, Order: w.ID, Item: w.Item.ID}
}

// unsubscribe ends a line that never came to be: it is cancelled, or inactive when it was active for a moment.
func (s *Service) unsubscribe(ctx context.Context, w *Work) error {
	p := w.product()
	line := id.ID(p.ID)
	if err := s.Inventory.Release(ctx, p.resource(inventory.NumberKind), p.resource(inventory.SIMKind), line); err != nil {
		return err
	}
	_, err := s.Subscriptions.Lines.Change(ctx, line, func(v *subscription.Line) error {
		if v.State == subscription.Disconnecting {
			v.State = subscription.Inactive
		} else {
			v.State = subscription.Cancelled
		}
		return nil
	})
	return err
}

func (s *Service) accountAndOffering(ctx context.Context, w *Work) (account.Account, catalog.Offering, error) {
	a, _, err := s.Accounts.Billing.Get(ctx, id.ID(w.Order.BillingAccount.ID))
	if err != nil {
		return a, catalog.Offering{}, err
	}
	o, err := s.Catalog.Offering(ctx, id.ID(w.Item.Offering.ID))
	return a, o, err
}

// charge begins the plan of a new line and what comes with it.
func (s *Service) charge(ctx context.Context, w *Work) error {
	c := w.cause("")
	if err := s.Renewals.Begin(ctx, renewal.Start{Line: w.line(), Offering: id.ID(w.Item.Offering.ID), Cause: c}); err != nil {
		return err
	}
	for n := range w.Item.Items {
		if it := &w.Item.Items[n]; refTo(it.Offering, catalog.Kind) != "" {
			if err := s.put(ctx, w, it, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// put sells what an item names to the work's line: add-ons begin, goods are charged.
func (s *Service) put(ctx context.Context, w *Work, it *Item, c balance.Cause) error {
	o, err := s.Catalog.Offering(ctx, id.ID(it.Offering.ID))
	if err != nil {
		return err
	}
	line := w.line()
	home, _ := line.Home()
	var held []id.ID
	for range max(it.Quantity, 1) {
		if !o.AddOn() {
			if err := s.sell(ctx, line, o, c); err != nil {
				return err
			}
			continue
		}
		product := id.New(subscription.HeldKind, home, w.Now)
		if err := s.Renewals.Begin(ctx, renewal.Start{Line: line, Product: product, Offering: id.ID(it.Offering.ID), Cause: c}); err != nil {
			return err
		}
		held = append(held, product)
	}
	it.Held = held
	return nil
}

// sell charges what is sold once.
func (s *Service) sell(ctx context.Context, line id.ID, o catalog.Offering, c balance.Cause) error {
	charges, err := o.FirstCharges()
	if err != nil || len(charges) == 0 {
		return err
	}
	bucket, _, err := s.Balances.Money(ctx, line)
	if err != nil {
		return err
	}
	for _, one := range charges {
		c.Text = o.Name + ": " + one.Gross.String() + ", of which tax " + one.Tax.String()
		if err := s.Balances.Charge(ctx, c, bucket, one.Gross.Micros(), one.Tax.Micros()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) uncharge(ctx context.Context, w *Work) error {
	for n := range w.Item.Items {
		if err := s.pull(ctx, w, &w.Item.Items[n]); err != nil {
			return err
		}
	}
	return s.Renewals.Undo(ctx, renewal.Start{Line: w.line(), Offering: id.ID(w.Item.Offering.ID), Cause: w.cause("")}, w.takenBack())
}

// pull undoes put.
func (s *Service) pull(ctx context.Context, w *Work, it *Item) error {
	c, line := w.cause(""), w.line()
	for _, product := range it.Held {
		if err := s.Renewals.Undo(ctx, renewal.Start{Line: line, Product: product, Offering: id.ID(it.Offering.ID), Cause: c}, w.takenBack()); err != nil {
			return err
		}
	}
	it.Held = nil
	return s.Balances.Reverse(ctx, line, c, w.takenBack())
}

func (s *Service) activate(ctx context.Context, w *Work) error {
	_, err := s.Subscriptions.Lines.Change(ctx, w.line(), func(v *subscription.Line) error {
		v.State, v.StateReason = subscription.Active, ""
		return nil
	})
	return err
}

func (s *Service) deactivate(ctx context.Context, w *Work) error {
	_, err := s.Subscriptions.Move(ctx, w.line(), subscription.Disconnecting)
	return err
}
