package order

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Bounds of one order.
const (
	mostItems    = 100
	mostQuantity = 20
	// mostAhead is how far ahead a requested start may lie.
	mostAhead = 366 * 24 * time.Hour
)

// begin takes a new order: what is malformed is refused, everything that would make it fail is looked for, and
// its steps are planned. Items that name nothing of demarc's own are acknowledged and left to a person.
func (s *Service) begin(ctx context.Context, i id.ID, v *Order, now time.Time) error {
	if err := v.formed(now); err != nil {
		return err
	}
	err := s.planned(ctx, i, v, now)
	if err == nil || ctx.Value(strict{}) != nil || !refusal(err) {
		return err
	}
	v.reject(fault.From(err), now)
	return nil
}

// formed completes an order and refuses what is malformed.
func (v *Order) formed(now time.Time) error {
	if v.Type == "" {
		v.Type = "ProductOrder"
	}
	var wrong fault.Several
	if v.State != "" && v.State != Acknowledged {
		wrong.Invalidf("state", "a new order is acknowledged; leave state out")
	}
	v.State, v.OrderDate, v.CompletionDate, v.Errors = Acknowledged, now, nil, nil
	v.ExpectedCompletion, v.CancellationDate, v.CancellationReason, v.Cancels, v.Total = nil, nil, "", "", nil
	if len(v.Items) == 0 && v.Cart == nil {
		wrong.Invalidf("productOrderItem", "an order has at least one item")
	}
	if v.Priority != "" && !slices.Contains([]string{"0", "1", "2", "3", "4"}, v.Priority) {
		wrong.Invalidf("priority", "a priority is 0 to 4, 0 the highest")
	}
	if v.RequestedStart != nil && v.RequestedStart.After(now.Add(mostAhead)) {
		wrong.Invalidf("requestedStartDate", "an order begins within a year")
	}
	if (v.TopupToken == "") != (len(v.TopupAmount) == 0) {
		wrong.Invalidf("atuTokenID", "an automatic top-up has a token and an amount: atuTokenID and atuAmount")
	}
	if len(v.all()) > mostItems {
		wrong.Invalidf("productOrderItem", "an order has at most %d items", mostItems)
	}
	v.numberItems(&wrong)
	return wrong.Err()
}

// numberItems gives every item an id of its own within the order, and the default action.
func (v *Order) numberItems(wrong *fault.Several) {
	seen := map[string]bool{}
	each(v.Items, "", func(at string, n int, it, within *Item) {
		if it.ID == "" {
			if it.ID = strconv.Itoa(n + 1); within != nil {
				it.ID = within.ID + "." + it.ID
			}
		}
		if seen[it.ID] {
			wrong.Invalidf(at+".id", "two items have the id %q", it.ID)
		}
		seen[it.ID] = true
		switch it.Action {
		case "":
			it.Action = actionAdd
		case actionAdd, actionModify, actionDelete, actionNone:
		default:
			wrong.Invalidf(at+".action", "an action is add, modify, delete or noChange")
		}
		if it.Quantity < 0 || it.Quantity > mostQuantity {
			wrong.Invalidf(at+".quantity", "a quantity is 1 to %d", mostQuantity)
		}
		it.State, it.Process, it.Milestones, it.Ends, it.Prices = Acknowledged, "", nil, "", nil
		it.With, it.Was, it.Held, it.Port = "", "", nil, nil
	})
}

// each visits items and what is within them: where they stand in the order, their place there, and the item that
// they are within (nil: none).
func each(items []Item, within string, visit func(at string, n int, it, parent *Item)) {
	eachOf(items, within, nil, visit)
}

func eachOf(items []Item, within string, parent *Item, visit func(at string, n int, it, parent *Item)) {
	for n := range items {
		at := fmt.Sprintf("%sproductOrderItem[%d]", within, n)
		visit(at, n, &items[n], parent)
		eachOf(items[n].Items, at+".", &items[n], visit)
	}
}

// reject ends a new order for what was found wrong with it.
func (v *Order) reject(why *fault.Error, now time.Time) {
	v.State = Rejected
	for _, it := range v.all() {
		it.State, it.Process, it.Milestones = Rejected, "", nil
	}
	details := why.Details
	if len(details) == 0 {
		details = []fault.Detail{{Attribute: why.Attribute, Message: why.Message}}
	}
	for _, d := range details {
		v.Errors = append(v.Errors, ErrorMessage{Code: why.Code, Reason: d.Message, Attribute: d.Attribute, Timestamp: now})
	}
}

// refusals gathers all that is wrong with an order. Its zero value has nothing.
type refusals struct {
	first   *fault.Error
	invalid bool
	details []fault.Detail
}

// add keeps a refusal, at an attribute unless it names one; any other error it gives back.
func (r *refusals) add(at string, err error) error {
	if err == nil {
		return nil
	}
	f := fault.From(err)
	switch f.Kind {
	case fault.NotFound:
		f = fault.Invalidf(f.Attribute, "%s", f.Message)
	case fault.Invalid, fault.Conflict, fault.Unsupported:
	default:
		return err
	}
	if f.Attribute == "" {
		f = f.At(at)
	}
	if r.first == nil {
		r.first = f
	}
	if f.Kind == fault.Invalid && !r.invalid {
		r.first, r.invalid = f, true
	}
	if len(f.Details) > 0 {
		r.details = append(r.details, f.Details...)
	} else {
		r.details = append(r.details, fault.Detail{Attribute: f.Attribute, Message: f.Message})
	}
	return nil
}

// err is one fault for all that was gathered: an Invalid one when anything is; nil when there is nothing.
func (r *refusals) err() error {
	if r.first == nil {
		return nil
	}
	out := *r.first
	if out.Details = nil; len(r.details) > 1 {
		out.Details = r.details
	}
	return &out
}

// payer is the account of the order, fit to order; "" when the order names none.
func (s *Service) payer(ctx context.Context, v *Order) (i id.ID, a account.Account, err error) {
	if v.BillingAccount == nil || v.BillingAccount.ID == "" {
		return "", a, nil
	}
	i = id.ID(v.BillingAccount.ID)
	a, _, err = s.Accounts.Billing.Get(ctx, i)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return "", a, fault.Invalidf("billingAccount.id", "there is no billing account %s", v.BillingAccount.ID)
	}
	if err != nil {
		return "", a, err
	}
	if v.BillingAccount.Name == "" {
		v.BillingAccount.Name = a.Name
	}
	if len(v.RelatedParty) == 0 {
		v.RelatedParty = slices.Clone(a.RelatedParty)
	}
	return i, a, nil
}

// mayOrder refuses an account, or a customer, that may not order.
func (s *Service) mayOrder(ctx context.Context, a account.Account) error {
	if !a.State.MayOrder() {
		return fault.Conflictf(CodeAccountBarred, "the account %s is %s: nothing can be ordered on it", a.AccountNumber, a.State).At("billingAccount")
	}
	i := a.Customer()
	if i == "" {
		return nil
	}
	c, _, err := s.Customers.Customers.Get(ctx, i)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil // a customer on another server
	}
	if err == nil && !c.Status.MayBuy() {
		err = fault.Conflictf(CodeAccountBarred, "the customer %s is %s: nothing can be ordered for it", c.Name, c.Status).At("billingAccount")
	}
	return err
}

// known refuses a related party that this service provider does not have, unless the order named it before (prev).
func (s *Service) known(ctx context.Context, prev, v *Order) error {
	for n, r := range v.RelatedParty {
		if prev != nil && slices.ContainsFunc(prev.RelatedParty, func(was sid.Ref) bool { return was.ID == r.ID }) {
			continue
		}
		there, err := s.store.Leads(ctx, r.ID, r.Href)
		if err == nil && !there {
			err = fault.Invalidf(fmt.Sprintf("relatedParty[%d].id", n), "%s does not exist", r.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// refTo is a reference to a thing of demarc's; nil when it is none.
func refTo(r *sid.Ref, k id.Kind) id.ID {
	if r == nil || !id.ID(r.ID).Is(k) {
		return ""
	}
	return id.ID(r.ID)
}
