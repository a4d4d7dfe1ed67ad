package cm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// mostItems bounds an order.
const mostItems = 20

// itemID is the name of an item within its order; some clients count with numbers.
type itemID string

// UnmarshalJSON takes text, a number as it is written, and null for none.
func (i *itemID) UnmarshalJSON(b []byte) error {
	switch v := jsontext.Value(b); v.Kind() {
	case '"':
		text, err := jsontext.AppendUnquote(nil, v)
		*i = itemID(text)
		return err
	case '0':
		*i = itemID(v)
	case 'n':
		*i = ""
	default:
		return fault.Invalidf("", "must be text or a number")
	}
	return nil
}

// Schema implements huma.SchemaProvider.
func (itemID) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}}}
}

// rest is what of an order, and of its items, this API leaves to the domain alone.
var (
	notTaken = []string{
		"id", "href", "orderDate", "completionDate", "expectedCompletionDate", "cancellationDate", "cancellationReason",
		"cancelProductOrderId", "orderTotalPrice", "productOrderErrorMessage",
	}
	notTakenItem = []string{"state", "itemPrice", "process", "milestone", "endsAs", "withItem", "lineState", "heldProduct", "port", "blocks", "productOrderItem"}
)

// translate brings both vocabularies to one order, and says all that is wrong with it. removes says that it takes
// things off a subscription.
func (a *api) translate(ctx context.Context, b orderRequest, removes bool) (*order.Order, error) {
	var wrong fault.Several
	o := &order.Order{
		Type: b.Type, State: b.State, RelatedParty: b.RelatedParty, ExternalID: b.ExternalID, UserData: b.UserData,
		RequestedStart: b.Start, Priority: b.Priority, TopupToken: b.TokenID, TopupAmount: b.TokenAmount, Referral: b.Referral,
		Rest: b.Rest.Without(notTaken...),
	}
	if i := desk.First(b.CartID, refID(b.Cart)); i != "" {
		o.Cart = &sid.Ref{ID: i}
	}
	line, err := a.orderedLine(ctx, b, o)
	if err := wrong.Add(err); err != nil {
		return nil, err
	}
	if len(b.Items)+len(b.CartItems) > mostItems {
		return nil, fault.Invalidf("productOrderItem", "an order has at most %d items", mostItems)
	}
	for n, it := range slices.Concat(b.Items, b.CartItems) {
		at := fmt.Sprintf("productOrderItem[%d]", n)
		if n >= len(b.Items) {
			at = fmt.Sprintf("cartItem[%d]", n-len(b.Items))
		}
		out, err := a.ordered(ctx, at, it, line, removes)
		o.Items = append(o.Items, out)
		if err := wrong.Add(err); err != nil {
			return nil, err
		}
	}
	if err := wrong.Add(wishes(o, b.UserData)); err != nil {
		return nil, err
	}
	payer, err := a.payer(ctx, b, anyLine(o.Items))
	if err := wrong.Add(err); err != nil {
		return nil, err
	}
	if payer != "" {
		o.BillingAccount = &sid.Ref{ID: string(payer)}
	}
	return o, wrong.Err()
}

func refID(r *sid.Ref) string {
	if r == nil {
		return ""
	}
	return r.ID
}

// anyLine reports whether an item names a subscription, whose account the order is for then.
func anyLine(items []order.Item) bool {
	return slices.ContainsFunc(items, func(it order.Item) bool { return it.Product != nil && it.Product.ID != "" })
}

// orderedLine is the subscription that the whole order is for; empty when it names none.
func (a *api) orderedLine(ctx context.Context, b orderRequest, o *order.Order) (id.ID, error) {
	var wrong fault.Several
	name, at := b.SubscriptionID, "subscriptionId"
	for n, d := range b.UserData {
		switch strings.ToUpper(d.Name) {
		case "SUBSCRIPTION_ID":
			name, at = d.Value, fmt.Sprintf("userData[%d].value", n)
		case "SCHEDULE":
			if strings.EqualFold(d.Value, "IMMEDIATE") {
				continue
			}
			t, err := time.Parse(time.RFC3339, d.Value)
			if err != nil {
				wrong.Invalidf(fmt.Sprintf("userData[%d].value", n), "SCHEDULE is IMMEDIATE or a moment such as 2030-01-01T00:00:00Z")
				continue
			}
			o.RequestedStart = &t
		}
	}
	if name == "" {
		return "", wrong.Err()
	}
	i, _, err := a.Line(ctx, name)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		err = fault.Invalidf(at, "there is no subscription %q", desk.Limited(name))
	}
	if err := wrong.Add(err); err != nil {
		return "", err
	}
	return i, wrong.Err()
}

// payer is the account that an order names, once or in several ways.
func (a *api) payer(ctx context.Context, b orderRequest, optional bool) (id.ID, error) {
	if optional && b.AccountID == "" && b.AccountIDUpper == "" && refID(b.BillingAccount) == "" {
		return "", nil
	}
	billing := ""
	if b.BillingAccount != nil {
		billing = b.BillingAccount.ID
	}
	return a.accountOf(ctx, []named{{"accountId", b.AccountID}, {"accountID", b.AccountIDUpper}, {"billingAccount.id", billing}})
}

// named is an attribute or parameter with what it says.
type named struct{ name, value string }

// accountOf is the account that all say that say anything.
func (a *api) accountOf(ctx context.Context, all []named) (id.ID, error) {
	var found id.ID
	for _, it := range all {
		if it.value == "" {
			continue
		}
		i, err := a.AccountID(ctx, it.value)
		if err != nil {
			return "", fault.From(err).At(it.name)
		}
		if found != "" && i != found {
			return "", fault.Invalidf(it.name, "%s names another account than what else names one", it.name)
		}
		found = i
	}
	if found == "" {
		return "", fault.Invalidf(all[0].name, "%s is mandatory: the account that the subscription belongs to", all[0].name)
	}
	return found, nil
}

// ordered is an item in the words of the domain. line is the subscription that the whole order is for; may be empty.
func (a *api) ordered(ctx context.Context, at string, it orderItem, line id.ID, removes bool) (order.Item, error) {
	out := order.Item{
		ID: string(it.ID), Action: action(it.Action, removes), Quantity: it.Quantity, Rest: it.Rest.Without(notTakenItem...),
	}
	if id.ID(out.ID).Is(subscription.Kind) { // some clients name the subscription so
		line, out.ID = id.ID(out.ID), ""
	}
	var wrong fault.Several
	if p := it.Product; p != nil {
		out.Product = &order.Product{Name: p.Name, Characteristics: slices.Clone(p.Characteristics), Rest: p.Rest}
		i, err := a.ofLine(ctx, p.ID)
		if err != nil {
			if err := wrong.Add(fault.From(err).At(at + ".product.id")); err != nil {
				return out, err
			}
		}
		out.Product.ID = string(i)
	}
	if line != "" && (out.Product == nil || out.Product.ID == "") {
		if out.Product == nil {
			out.Product = &order.Product{}
		}
		out.Product.ID = string(line)
	}
	if err := wrong.Add(a.orderedOffering(ctx, at, it, &out, removes)); err != nil {
		return out, err
	}
	for n, one := range it.Items {
		inner, err := a.ordered(ctx, fmt.Sprintf("%s.productOrderItem[%d]", at, n), one, "", removes)
		out.Items = append(out.Items, inner)
		if err := wrong.Add(err); err != nil {
			return out, err
		}
	}
	return out, wrong.Err()
}

// action is an action in the domain's words; what a removal leaves out is delete.
func action(text string, removes bool) string {
	switch folded := strings.ReplaceAll(strings.ToLower(text), "_", ""); {
	case folded == "" && removes:
		return "delete"
	case folded == "nochange":
		return "noChange"
	default:
		return folded
	}
}

// ofLine is the id of a subscription that is named by its id or its mobile number, or of something that one holds.
func (a *api) ofLine(ctx context.Context, name string) (id.ID, error) {
	if name == "" || id.ID(name).Is(subscription.HeldKind) || id.ID(name).Is(subscription.Kind) {
		return id.ID(name), nil
	}
	i, _, err := a.Line(ctx, name)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		err = fault.Invalidf("", "there is no subscription %q", desk.Limited(name))
	}
	return i, err
}

// included is what an offering brings with it, in the words of this API.
type included struct {
	ID       string `json:"id"`
	Action   string `json:"action,omitzero"`
	Quantity int    `json:"quantity,omitzero"`
}

// orderedOffering reads the item's offering and what it includes.
func (a *api) orderedOffering(ctx context.Context, at string, it orderItem, out *order.Item, removes bool) error {
	if it.Offering == nil || it.Offering.ID == "" {
		if out.Action != "add" && out.Action != "" || len(it.Items) > 0 {
			return nil
		}
		return fault.Invalidf(at+".productOffering", "productOffering.id is mandatory: what is ordered")
	}
	var err error
	if out.Offering, err = a.offering(ctx, it.Offering); err != nil {
		return fault.From(err).At(at + ".productOffering.id")
	}
	if removes && out.Action == "delete" {
		o, _, err := a.Catalog.Offerings.Get(ctx, id.ID(out.Offering.ID))
		out.Block = err == nil && o.OfferingType == catalog.PricePlan
	}
	raw, ok := out.Offering.Rest["includedItems"]
	if !ok {
		return nil
	}
	var all []included
	if err := json.Unmarshal(raw, &all); err != nil {
		return fault.Invalidf(at+".productOffering.includedItems", "includedItems is a list of id, quantity and action")
	}
	var wrong fault.Several
	for n, one := range all {
		inner := order.Item{Action: action(one.Action, removes), Quantity: one.Quantity}
		if inner.Action == "" {
			inner.Action = "add"
		}
		ref, err := a.offering(ctx, &sid.Ref{ID: one.ID})
		if err != nil {
			if err := wrong.Add(fault.From(err).At(fmt.Sprintf("%s.productOffering.includedItems[%d].id", at, n))); err != nil {
				return err
			}
			continue
		}
		inner.Offering = ref
		out.Items = append(out.Items, inner)
	}
	out.Offering.Rest = out.Offering.Rest.Without("includedItems")
	return wrong.Err()
}

// offering reads the id or the key of an offering.
func (a *api) offering(ctx context.Context, r *sid.Ref) (*sid.Ref, error) {
	if id.ID(r.ID).Is(catalog.Kind) {
		out := *r // the domain completes it, and may do so more than once
		return &out, nil
	}
	i, err := a.Catalog.ByKey(ctx, r.ID)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, fault.Invalidf("", "there is no product offering %q", desk.Limited(r.ID))
	}
	out := *r
	out.ID = string(i)
	return &out, err
}

// wishes reads what user data ask for.
func wishes(o *order.Order, data []order.NameValue) error {
	var wrong fault.Several
	for n, d := range data {
		at := fmt.Sprintf("userData[%d].value", n)
		switch name := strings.ToUpper(d.Name); name {
		case order.CharMSISDN, order.CharICCID, order.CharDonor:
			if len(o.Items) == 0 && o.Cart != nil {
				value, err := jsontext.AppendQuote(nil, d.Value)
				if err != nil {
					wrong.Invalidf(at, "%s is text", name)
				}
				o.Wishes = append(o.Wishes, sid.Characteristic{Name: name, Value: value})
				continue
			}
			if len(o.Items) != 1 {
				wrong.Invalidf(at, "%s in userData is for an order of one item; with several, give each item's product the characteristic", name)
				continue
			}
			if o.Items[0].Product == nil {
				o.Items[0].Product = &order.Product{}
			}
			if !o.Items[0].Product.Wish(name, d.Value) {
				wrong.Invalidf(at, "the order asks for another %s already", name)
			}
		}
	}
	return wrong.Err()
}
