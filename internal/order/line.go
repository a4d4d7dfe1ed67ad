package order

import (
	"context"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// newLine is the process of a new prepaid subscription.
const newLine = "newLine"

// codeRedraw is a number or SIM, chosen at random, that another order took first.
const codeRedraw fault.Code = "chosenMeanwhileTaken"

const (
	chosenNumber = "number"
	chosenSIM    = "sim"
)

func (s *Service) newLine() Process {
	return Process{
		{Name: "reserve", Text: "Reserve a mobile number and a SIM", Choose: s.chooseResources, Do: s.reserve, Undo: s.unreserve},
		{Name: "subscribe", Text: "Create the subscription", Do: s.subscribe, Undo: s.unsubscribe},
		{Name: "charge", Text: "Open the balance, grant the bundles and charge the first period", Do: s.charge, Undo: s.uncharge},
		{Name: "activate", Text: "Activate the subscription", Do: s.activate},
	}
}

func (s *Service) chooseResources(ctx context.Context, w *Work) (err error) {
	p := w.product()
	if w.Chosen[chosenNumber], err = s.Inventory.PickNumber(ctx, msisdn.Number(p.wish(CharMSISDN))); err != nil {
		return err
	}
	w.Chosen[chosenSIM], err = s.Inventory.PickSIM(ctx, p.wish(CharICCID))
	return err
}

func (w *Work) product() *Product {
	if w.Item.Product == nil {
		w.Item.Product = &Product{}
	}
	return w.Item.Product
}

func (s *Service) reserve(ctx context.Context, w *Work) error {
	p := w.product()
	number, err := s.Inventory.ReserveNumber(ctx, w.Chosen[chosenNumber], w.ID)
	if err != nil {
		return redrawable(err, p.wish(CharMSISDN))
	}
	sim, err := s.Inventory.ReserveSIM(ctx, w.Chosen[chosenSIM], w.ID)
	if err != nil {
		return redrawable(err, p.wish(CharICCID))
	}
	p.Resources = []sid.Ref{
		{ID: string(w.Chosen[chosenNumber]), Name: string(number.Value), ReferredType: number.Type},
		{ID: string(w.Chosen[chosenSIM]), Name: sim.ICCID, ReferredType: sim.Type},
	}
	p.set(CharMSISDN, string(number.Value))
	p.set(CharICCID, sim.ICCID)
	p.set(charIMSI, sim.IMSI)
	return nil
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

func (s *Service) subscribe(ctx context.Context, w *Work) error {
	a, o, err := s.accountAndOffering(ctx, w)
	if err != nil {
		return err
	}
	if !a.State.MayOrder() {
		return fault.Conflictf(CodeAccountBarred, "the account %s is %s meanwhile", a.AccountNumber, a.State)
	}
	p := w.product()
	prices, err := subscription.PricesOf(o)
	if err != nil {
		return err
	}
	line, _, err := s.Subscriptions.Lines.Add(ctx, &subscription.Line{
		Name: o.Name, AccountID: id.ID(w.Order.BillingAccount.ID), SubscriptionType: a.PaidType(),
		MSISDN: msisdn.Number(p.wish(CharMSISDN)), ICCID: p.wish(CharICCID), IMSI: p.wish(charIMSI),
		BillingAccount:  &sid.Ref{ID: w.Order.BillingAccount.ID, Name: a.Name},
		Offering:        &sid.Ref{ID: w.Item.Offering.ID, Name: o.Name},
		Prices:          prices,
		Characteristics: p.Characteristics,
		RelatedParty:    a.RelatedParty,
		Resources:       p.Resources,
		OrderDate:       &w.Order.OrderDate,
		OrderItems:      []subscription.OrderItem{{Action: w.Item.Action, Order: w.ID, Item: w.Item.ID}},
	})
	if err != nil {
		return err
	}
	p.ID, p.Name = string(line), o.Name
	return s.Inventory.Assign(ctx, p.resource(inventory.NumberKind), p.resource(inventory.SIMKind), w.ID, line)
}

func (s *Service) unsubscribe(ctx context.Context, w *Work) error {
	p := w.product()
	line := id.ID(p.ID)
	if err := s.Inventory.Release(ctx, p.resource(inventory.NumberKind), p.resource(inventory.SIMKind), line); err != nil {
		return err
	}
	_, err := s.Subscriptions.Move(ctx, line, subscription.Cancelled)
	return err
}

func (s *Service) accountAndOffering(ctx context.Context, w *Work) (account.Account, catalog.Offering, error) {
	a, _, err := s.Accounts.Billing.Get(ctx, id.ID(w.Order.BillingAccount.ID))
	if err != nil {
		return a, catalog.Offering{}, err
	}
	o, _, err := s.Catalog.Offerings.Get(ctx, id.ID(w.Item.Offering.ID))
	return a, o, err
}

func (w *Work) cause(text string) balance.Cause {
	return balance.Cause{Kind: Kind.Name, ID: string(w.ID), Text: text}
}

// charge opens the money balance and the bundles of a new line and takes the first charges from it.
func (s *Service) charge(ctx context.Context, w *Work) error {
	a, o, err := s.accountAndOffering(ctx, w)
	if err != nil {
		return err
	}
	currency, err := s.Accounts.CurrencyOf(ctx, a)
	if err != nil {
		return err
	}
	h := balance.Holder{Subscription: id.ID(w.product().ID), Account: id.ID(w.Order.BillingAccount.ID), Offering: id.ID(w.Item.Offering.ID), OfferingName: o.Name}
	money, err := s.Balances.Open(ctx, h,
		balance.Grant{Name: "Main balance", UsageType: catalog.Monetary, Unit: string(currency), Amount: openingBalance(o)},
		w.cause("Opening balance of "+o.Name))
	if err != nil {
		return err
	}
	for _, al := range o.Allowances {
		g := balance.Grant{Name: al.Name, UsageType: al.UsageType, Unit: al.Units, Amount: al.Amount, End: end(w.Now, al.ValidityDays)}
		if _, err := s.Balances.Open(ctx, h, g, w.cause(fmt.Sprintf("Bundle %s of %s", al.Name, o.Name))); err != nil {
			return err
		}
	}
	return s.firstCharges(ctx, w, money, o)
}

func end(from time.Time, days int) *time.Time {
	if days == 0 {
		return nil
	}
	t := from.Add(time.Duration(days) * 24 * time.Hour)
	return &t
}

func (s *Service) firstCharges(ctx context.Context, w *Work, bucket id.ID, o catalog.Offering) error {
	charges, err := o.FirstCharges()
	if err != nil {
		return err
	}
	for _, c := range charges {
		cause := w.cause(fmt.Sprintf("%s: %s, of which tax %s", c.Name, c.Gross, c.Tax))
		if err := s.Balances.Charge(ctx, cause, bucket, c.Gross.Micros(), c.Tax.Micros()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) uncharge(ctx context.Context, w *Work) error {
	return s.Balances.Reverse(ctx, id.ID(w.product().ID), w.cause(""), w.cause("Taken back: the order failed"))
}

func (s *Service) activate(ctx context.Context, w *Work) error {
	_, err := s.Subscriptions.Move(ctx, id.ID(w.product().ID), subscription.Active)
	return err
}
