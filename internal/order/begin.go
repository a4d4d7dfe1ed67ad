package order

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The characteristics of a line that an item may wish for.
const (
	CharMSISDN = "MSISDN"
	CharICCID  = "ICCID"
	charIMSI   = "IMSI"
)

// begin checks a new order against everything that would make it fail, and plans its steps. Items that name
// no offering of demarc's own are acknowledged and left to a person.
func (s *Service) begin(ctx context.Context, v *Order, now time.Time) error {
	if v.Type == "" {
		v.Type = "ProductOrder"
	}
	if v.State != "" && v.State != Acknowledged {
		return fault.Invalidf("state", "a new order is acknowledged; leave state out")
	}
	v.State, v.OrderDate, v.CompletionDate, v.Errors = Acknowledged, now, nil, nil
	if len(v.Items) == 0 {
		return fault.Invalidf("productOrderItem", "an order has at least one item")
	}
	if err := v.numberItems(); err != nil {
		return err
	}
	if err := s.planItems(ctx, v, now); err != nil {
		return err
	}
	return v.total()
}

// planItems plans every item that demarc carries out, or says what is wrong with all of them.
func (s *Service) planItems(ctx context.Context, v *Order, now time.Time) error {
	var a *account.Account
	var wrong fault.Several
	for n := range v.Items {
		it := &v.Items[n]
		it.State, it.Process, it.Milestones = Acknowledged, "", nil
		if it.Offering == nil || !id.ID(it.Offering.ID).Is(catalog.Kind) {
			continue
		}
		if a == nil {
			var err error
			if a, err = s.payer(ctx, v); err != nil {
				return err
			}
		}
		if err := wrong.Add(s.plan(ctx, v, n, *a, now)); err != nil {
			return err
		}
	}
	return wrong.Err()
}

// numberItems gives every item an id of its own within the order, and the default action.
func (v *Order) numberItems() error {
	var wrong fault.Several
	seen := map[string]bool{}
	for n := range v.Items {
		it := &v.Items[n]
		if it.ID == "" {
			it.ID = strconv.Itoa(n + 1)
		}
		if seen[it.ID] {
			wrong.Invalidf(at(n, "id"), "two items have the id %q", it.ID)
		}
		seen[it.ID] = true
		switch it.Action {
		case "":
			it.Action = "add"
		case "add", "modify", "delete", "noChange":
		default:
			wrong.Invalidf(at(n, "action"), "an action is add, modify, delete or noChange")
		}
	}
	return wrong.Err()
}

func at(item int, attribute string) string {
	return fmt.Sprintf("productOrderItem[%d].%s", item, attribute)
}

// payer is the account of the order, fit to order.
func (s *Service) payer(ctx context.Context, v *Order) (*account.Account, error) {
	if v.BillingAccount == nil || v.BillingAccount.ID == "" {
		return nil, fault.Invalidf("billingAccount", "billingAccount is mandatory: the account that the subscription belongs to")
	}
	a, _, err := s.Accounts.Billing.Get(ctx, id.ID(v.BillingAccount.ID))
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, fault.Invalidf("billingAccount.id", "there is no billing account %s", v.BillingAccount.ID)
	}
	if err != nil {
		return nil, err
	}
	if !a.State.MayOrder() {
		return nil, fault.Conflictf(CodeAccountBarred, "the account %s is %s: nothing can be ordered on it", a.AccountNumber, a.State).At("billingAccount")
	}
	if err := s.buyer(ctx, a); err != nil {
		return nil, err
	}
	if v.BillingAccount.Name == "" {
		v.BillingAccount.Name = a.Name
	}
	if len(v.RelatedParty) == 0 {
		v.RelatedParty = a.RelatedParty
	}
	return &a, nil
}

func (s *Service) buyer(ctx context.Context, a account.Account) error {
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

// plan checks one item and writes down its steps and prices.
func (s *Service) plan(ctx context.Context, v *Order, n int, a account.Account, now time.Time) error {
	it := &v.Items[n]
	if it.Action != "add" {
		return fault.Invalidf(at(n, "action"), "demarc carries out the action add; %s is not supported yet", it.Action)
	}
	if it.Quantity > 1 {
		return fault.Invalidf(at(n, "quantity"), "one item is one subscription; order several as several items")
	}
	o, _, err := s.Catalog.Offerings.Get(ctx, id.ID(it.Offering.ID))
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return fault.Invalidf(at(n, "productOffering.id"), "there is no product offering %s", it.Offering.ID)
	}
	if err != nil {
		return err
	}
	if err := o.Sellable(now); err != nil {
		return fault.From(err).At(at(n, "productOffering"))
	}
	if err := s.suits(ctx, o, a); err != nil {
		return fault.From(err).At(at(n, "productOffering"))
	}
	if err := s.wishes(ctx, v, n); err != nil {
		return err
	}
	if it.Prices, err = subscription.PricesOf(o); err != nil {
		return err
	}
	if it.Offering.Name == "" {
		it.Offering.Name = o.Name
	}
	it.Process = newLine
	it.Milestones = s.processes[newLine].milestones()
	return nil
}

// suits refuses a plan that the account cannot be on.
func (s *Service) suits(ctx context.Context, o catalog.Offering, a account.Account) error {
	if o.OfferingType != catalog.PricePlan {
		return fault.Conflictf(CodePlanMismatch, "%s is not a price plan: a new subscription needs one", o.Name)
	}
	if o.PaidType != "" && o.PaidType != a.PaidType() {
		return fault.Conflictf(CodePlanMismatch, "%s is a %s plan and the account is %s", o.Name, o.PaidType, a.PaidType())
	}
	if a.PaidType() != account.Prepaid {
		return fault.Conflictf(CodePlanMismatch, "subscriptions on a postpaid account are not supported yet")
	}
	currency, err := s.Accounts.CurrencyOf(ctx, a)
	if err != nil {
		return err
	}
	due, err := firstDue(o, currency)
	if err != nil {
		return err
	}
	if opening := openingBalance(o); opening < due {
		return fault.Conflictf(CodePlanMismatch, "the first charge of %s is %s and its opening balance %s",
			o.Name, money.OfMicros(due, currency), money.OfMicros(opening, currency))
	}
	return nil
}

func openingBalance(o catalog.Offering) int64 {
	if o.OpeningBalance == nil {
		return 0
	}
	return o.OpeningBalance.Micros()
}

// firstDue is what the first charges come to, in micros of the account's currency.
func firstDue(o catalog.Offering, c money.Currency) (int64, error) {
	charges, err := o.FirstCharges()
	if err != nil {
		return 0, err
	}
	if o.OpeningBalance != nil && o.OpeningBalance.Currency() != c {
		return 0, fault.Conflictf(CodePlanMismatch, "%s is sold in %s and the account is in %s", o.Name, o.OpeningBalance.Currency(), c)
	}
	sum := money.OfMicros(0, c)
	for _, one := range charges {
		if one.Gross.Currency() != c {
			return 0, fault.Conflictf(CodePlanMismatch, "%s is sold in %s and the account is in %s", o.Name, one.Gross.Currency(), c)
		}
		if sum, err = sum.Add(one.Gross); err != nil {
			return 0, err
		}
	}
	return sum.Micros(), nil
}

// wishes checks the number and SIM that an item asks for, and writes them as they are stored.
func (s *Service) wishes(ctx context.Context, v *Order, n int) error {
	it := &v.Items[n]
	if it.Product == nil {
		return nil
	}
	it.Product.ID, it.Product.Resources = "", nil
	var wrong fault.Several
	seen := map[string]bool{}
	for k := range it.Product.Characteristics {
		c := &it.Product.Characteristics[k]
		name := strings.ToUpper(c.Name)
		var err error
		switch {
		case name != CharMSISDN && name != CharICCID:
			continue
		case seen[name]:
			err = fault.Invalidf("", "%s is asked for twice: one item is one subscription", name)
		case name == CharMSISDN:
			err = s.wishedNumber(ctx, v, n, c)
		default:
			err = s.wishedSIM(ctx, v, n, c)
		}
		seen[name] = true
		if err == nil {
			continue
		}
		if err := wrong.Add(fault.From(err).At(at(n, fmt.Sprintf("product.productCharacteristic[%d].value", k)))); err != nil {
			return err
		}
	}
	return wrong.Err()
}

func (s *Service) wishedNumber(ctx context.Context, v *Order, n int, c *sid.Characteristic) error {
	number, err := s.Subscriptions.Number(ctx, textOf(c.Value))
	if err != nil {
		return err
	}
	c.Name, c.Value = CharMSISDN, quoted(string(number))
	if v.wishedBefore(n, CharMSISDN, string(number)) {
		return fault.Invalidf("", "two items ask for the number %s", number.E123())
	}
	i, err := s.Inventory.PickNumber(ctx, number)
	if err != nil {
		return asInvalid(err)
	}
	r, _, err := s.Inventory.Numbers.Get(ctx, i)
	if err == nil && r.Status != inventory.Available {
		err = fault.Conflictf(inventory.CodeTaken, "the number %s is %s", number.E123(), r.Status)
	}
	return err
}

func (s *Service) wishedSIM(ctx context.Context, v *Order, n int, c *sid.Characteristic) error {
	iccid := strings.ReplaceAll(textOf(c.Value), " ", "")
	if err := inventory.CheckICCID(iccid); err != nil {
		return err
	}
	c.Name, c.Value = CharICCID, quoted(iccid)
	if v.wishedBefore(n, CharICCID, iccid) {
		return fault.Invalidf("", "two items ask for the SIM %s", iccid)
	}
	i, err := s.Inventory.PickSIM(ctx, iccid)
	if err != nil {
		return asInvalid(err)
	}
	r, _, err := s.Inventory.SIMs.Get(ctx, i)
	if err == nil && r.Status != inventory.Available {
		err = fault.Conflictf(inventory.CodeTaken, "the SIM %s is %s", iccid, r.Status)
	}
	return err
}

// asInvalid turns "there is none" into a fault of the input that named it.
func asInvalid(err error) error {
	if f := fault.From(err); f.Kind == fault.NotFound {
		return fault.Invalidf("", "%s", f.Message)
	}
	return err
}

func (v *Order) wishedBefore(n int, name, value string) bool {
	for _, it := range v.Items[:n] {
		if it.Product != nil && it.Product.wish(name) == value {
			return true
		}
	}
	return false
}

// wish is the value of a characteristic; empty when there is none.
func (p *Product) wish(name string) string {
	for _, c := range p.Characteristics {
		if c.Name == name {
			return textOf(c.Value)
		}
	}
	return ""
}

// set gives a characteristic its value.
func (p *Product) set(name, value string) {
	for n := range p.Characteristics {
		if p.Characteristics[n].Name == name {
			p.Characteristics[n].Value = quoted(value)
			return
		}
	}
	p.Characteristics = append(p.Characteristics, sid.Characteristic{Name: name, Value: quoted(value)})
}

func textOf(v jsontext.Value) string {
	var s string
	if v.Kind() == '"' && json.Unmarshal(v, &s) == nil {
		return s
	}
	return string(v)
}

func quoted(s string) jsontext.Value {
	b, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return jsontext.Value(`""`)
	}
	return b
}

// total sums the items' prices by kind.
func (v *Order) total() error {
	v.Total = nil
	for _, it := range v.Items {
		for _, p := range it.Prices {
			if err := v.addToTotal(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *Order) addToTotal(p Price) (err error) {
	for n := range v.Total {
		t := &v.Total[n]
		if t.PriceType != p.PriceType || t.Period != p.Period || t.Price.TaxIncluded.Currency() != p.Price.TaxIncluded.Currency() {
			continue
		}
		if t.Price.TaxIncluded, err = t.Price.TaxIncluded.Add(p.Price.TaxIncluded); err != nil {
			return err
		}
		t.Price.DutyFree, err = t.Price.DutyFree.Add(p.Price.DutyFree)
		return err
	}
	v.Total = append(v.Total, Price{PriceType: p.PriceType, Period: p.Period, Price: p.Price})
	return nil
}
