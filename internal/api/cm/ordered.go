package cm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
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

// translate brings both vocabularies to one order, and says all that is wrong with it.
func (a *api) translate(ctx context.Context, b orderRequest) (*order.Order, error) {
	var wrong fault.Several
	if b.TokenID != "" {
		wrong.Invalidf("atuTokenID", "automatic top-ups cannot be ordered yet")
	}
	if len(b.TokenAmount) > 0 {
		wrong.Invalidf("atuAmount", "automatic top-ups cannot be ordered yet")
	}
	payer, err := a.payer(ctx, b)
	if err := wrong.Add(err); err != nil {
		return nil, err
	}
	o := &order.Order{
		Type: b.Type, State: b.State, BillingAccount: &sid.Ref{ID: string(payer)}, RelatedParty: b.RelatedParty,
		ExternalID: b.ExternalID, UserData: b.UserData,
		Rest: b.Rest.Without("id", "href", "orderDate", "completionDate", "orderTotalPrice", "productOrderErrorMessage"),
	}
	if len(b.Items)+len(b.CartItems) > mostItems {
		return nil, fault.Invalidf("productOrderItem", "an order has at most %d items", mostItems)
	}
	for n, it := range slices.Concat(b.Items, b.CartItems) {
		at := fmt.Sprintf("productOrderItem[%d]", n)
		if n >= len(b.Items) {
			at = fmt.Sprintf("cartItem[%d]", n-len(b.Items))
		}
		if err := wrong.Add(a.ordered(ctx, at, it, o)); err != nil {
			return nil, err
		}
	}
	if err := wrong.Add(wishes(o, b.UserData)); err != nil {
		return nil, err
	}
	return o, wrong.Err()
}

// payer is the account that an order names, once or in several ways.
func (a *api) payer(ctx context.Context, b orderRequest) (id.ID, error) {
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
		i, err := a.accountID(ctx, it.value)
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

// ordered adds an item to the order.
func (a *api) ordered(ctx context.Context, at string, it orderItem, o *order.Order) error {
	out := order.Item{
		ID: string(it.ID), Action: strings.ToLower(it.Action), Quantity: it.Quantity,
		Rest: it.Rest.Without("state", "itemPrice", "process", "milestone"),
	}
	if out.Action == "nochange" {
		out.Action = "noChange"
	}
	if p := it.Product; p != nil {
		out.Product = &order.Product{Name: p.Name, Characteristics: slices.Clone(p.Characteristics), Rest: p.Rest}
	}
	var err error
	if it.Offering == nil || it.Offering.ID == "" {
		err = fault.Invalidf(at+".productOffering", "productOffering.id is mandatory: what is ordered")
	} else if out.Offering, err = a.offering(ctx, it.Offering); err != nil {
		err = fault.From(err).At(at + ".productOffering.id")
	}
	o.Items = append(o.Items, out)
	return err
}

// offering reads the id or the key of an offering.
func (a *api) offering(ctx context.Context, r *sid.Ref) (*sid.Ref, error) {
	if id.ID(r.ID).Is(catalog.Kind) {
		out := *r // the domain completes it, and may do so more than once
		return &out, nil
	}
	i, err := a.Catalog.ByKey(ctx, r.ID)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return nil, fault.Invalidf("", "there is no product offering %q", limited(r.ID))
	}
	return &sid.Ref{ID: string(i)}, err
}

// wishes reads what user data ask for.
func wishes(o *order.Order, data []order.NameValue) error {
	var wrong fault.Several
	for n, d := range data {
		at := fmt.Sprintf("userData[%d].value", n)
		switch name := strings.ToUpper(d.Name); name {
		case order.CharMSISDN, order.CharICCID:
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
		case "SUBSCRIPTION_ID":
			wrong.Invalidf(at, "changing a subscription by an order is not supported yet")
		case "SCHEDULE":
			if !strings.EqualFold(d.Value, "IMMEDIATE") {
				wrong.Invalidf(at, "SCHEDULE can only be IMMEDIATE")
			}
		}
	}
	return wrong.Err()
}
