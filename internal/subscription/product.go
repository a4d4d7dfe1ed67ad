package subscription

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Products are the lines as the product inventory of TMF637 shows them, with the products beside them that clients
// record: those are kept as they came, and nothing is provisioned, charged or renewed for them. Lines come from orders
// alone.
func (s *Service) Products() resource.Any { return products{s.Lines} }

type products struct{ *resource.Set[Line] }

// own are the attributes that say of a line what it is; orders, renewals and the operations for limits change them.
var own = []string{
	"accountId", "msisdn", "mobileNumberOwnership", "iccid", "imsi", "subscriptionType", "state", "stateReason", "stateSince",
	"planHistory", "renewal", "creditLimit", "monthlySpendLimit", recordedAttribute,
}

// sold are the attributes of the standard that follow from what was ordered.
var sold = []string{
	"billingAccount", "productOffering", "productPrice", "product", "productOrderItem", "realizingResource", "orderDate",
	"startDate", "terminationDate",
}

const recordedAttribute = "isRecord"

type object = map[string]jsontext.Value

func objectOf(doc jsontext.Value) (object, error) {
	var o object
	if err := json.Unmarshal(doc, &o); err != nil {
		return nil, fault.Invalidf("", "a product is a JSON object").Because(err)
	}
	return o, nil
}

func unchanged(o, next object, names []string, message string) (found []fault.Detail) {
	for _, name := range names {
		if string(o[name]) != string(next[name]) {
			found = append(found, fault.Detail{Attribute: name, Message: message})
		}
	}
	return found
}

// Create records a product.
func (p products) Create(ctx context.Context, body jsontext.Value) (store.Doc, error) {
	o, err := objectOf(body)
	if err != nil {
		return store.Doc{}, err
	}
	if err := fault.InvalidAll(unchanged(nil, o, own, "it belongs to a line, and lines come from orders")); err != nil {
		return store.Doc{}, err
	}
	o[recordedAttribute] = jsontext.Value("true")
	raw, err := json.Marshal(o, json.Deterministic(true))
	if err != nil {
		return store.Doc{}, fault.Internalf(err, "the product cannot be written")
	}
	return p.Set.Create(ctx, raw)
}

// Patch changes what is said of a product. What follows from orders stays; a line may be suspended and brought back by
// its status.
func (p products) Patch(ctx context.Context, i id.ID, version int64, apply func(now jsontext.Value) (jsontext.Value, error)) (store.Doc, error) {
	return p.Set.Patch(ctx, i, version, func(now jsontext.Value) (jsontext.Value, error) {
		body, err := apply(now)
		if err != nil {
			return nil, err
		}
		was, err := objectOf(now)
		if err != nil {
			return nil, err
		}
		next, err := objectOf(body)
		if err != nil {
			return nil, err
		}
		fixed := own
		if len(was[recordedAttribute]) == 0 {
			fixed = slices.Concat(own, sold)
		}
		if err := fault.InvalidAll(unchanged(was, next, fixed, "orders change it, not the inventory")); err != nil {
			return nil, err
		}
		if len(was[recordedAttribute]) > 0 || string(was["status"]) == string(next["status"]) {
			return body, nil
		}
		if next["state"], err = stateFor(was["state"], next["status"]); err != nil {
			return nil, err
		}
		delete(next, "status") // it follows from the state
		return json.Marshal(next, json.Deterministic(true))
	})
}

// stateFor is the state that a client brings a line to by its status.
func stateFor(state, status jsontext.Value) (jsontext.Value, error) {
	var from State
	var to string
	if err := json.Unmarshal(state, &from); err != nil {
		return nil, fault.Internalf(err, "a line without state")
	}
	if len(status) > 0 {
		if err := json.Unmarshal(status, &to); err != nil {
			return nil, fault.Invalidf("status", "status is a text")
		}
	}
	switch {
	case to == Suspended.Status() && from.Renews():
		return jsontext.Value(`"` + string(Suspended) + `"`), nil
	case to == Active.Status() && from == Suspended:
		return jsontext.Value(`"` + string(Active) + `"`), nil
	}
	return nil, fault.Conflictf(CodeState, "a line that is %s does not become %q by its status: active ones can be suspended, and suspended ones made active", from, to).At("status")
}
