package cm

import (
	"context"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// cart is the resource of shopping carts in the words of this API.
func (a *api) cart(own map[string]*tmf630.Shape) tmf630.Resource {
	return tmf630.Resource{
		Set: cartSet{a.Carts.Carts, a}, Shape: own["ShoppingCart"], Path: desk.Base + "/shoppingCart",
		Example: map[string]any{
			"customerId": "cus_06c3v4m8r1e2k7t9w5x0y3z4a6",
			"cartItem": []any{map[string]any{"action": "add", "productOffering": map[string]any{
				"id": "start", "includedItems": []any{map[string]any{"id": "weekend-data", "quantity": 1, "action": "ADD"}},
			}}},
		},
	}
}

// cartSet is all carts, which it takes in the words of this API.
type cartSet struct {
	resource.Any
	a *api
}

// Create implements resource.Any.
func (s cartSet) Create(ctx context.Context, body jsontext.Value) (store.Doc, error) {
	body, err := s.translated(ctx, body)
	if err != nil {
		return store.Doc{}, err
	}
	return s.Any.Create(ctx, body)
}

// Patch implements resource.Any.
func (s cartSet) Patch(ctx context.Context, i id.ID, version int64, apply func(jsontext.Value) (jsontext.Value, error)) (store.Doc, error) {
	return s.Any.Patch(ctx, i, version, func(now jsontext.Value) (jsontext.Value, error) {
		body, err := apply(now)
		if err != nil {
			return nil, err
		}
		var before, after struct {
			Customer string    `json:"customerId"`
			Parties  []sid.Ref `json:"relatedParty"`
		}
		if json.Unmarshal(now, &before) == nil && json.Unmarshal(body, &after) == nil &&
			after.Customer != before.Customer && slices.EqualFunc(after.Parties, before.Parties, func(a, b sid.Ref) bool { return a.ID == b.ID }) {
			if body, err = without(body, "relatedParty"); err != nil { // they are of the customer before
				return nil, err
			}
		}
		return s.translated(ctx, body)
	})
}

// without is an object without a member.
func without(body jsontext.Value, name string) (jsontext.Value, error) {
	var v map[string]jsontext.Value
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fault.Invalidf("", "a cart is a JSON object")
	}
	delete(v, name)
	return json.Marshal(v, json.Deterministic(true))
}

// translated is a cart in the words of TMF663: customerId becomes a related party, items what the standard calls
// them, and what an offering includes items of their own.
func (s cartSet) translated(ctx context.Context, body jsontext.Value) (jsontext.Value, error) {
	var v map[string]jsontext.Value
	if err := json.Unmarshal(body, &v); err != nil {
		return nil, fault.Invalidf("", "a cart is a JSON object")
	}
	changed := false
	if customer, ok := v["customerId"]; ok && len(v["relatedParty"]) == 0 && customer.Kind() != 'n' {
		if _, err := s.a.Customers.Customers.Doc(ctx, id.ID(text(customer))); fault.KindOf(err) == fault.NotFound {
			return nil, fault.Invalidf("customerId", "there is no customer %q", desk.Limited(text(customer)))
		} else if err != nil {
			return nil, err
		}
		party := []sid.Ref{{ID: text(customer), Role: "customer", ReferredType: "Customer"}}
		out, err := json.Marshal(party)
		if err != nil {
			return nil, fault.Internalf(err, "a cart cannot be written")
		}
		v["relatedParty"], changed = out, true
	}
	if raw, ok := v["cartItem"]; ok && raw.Kind() == '[' {
		items, err := s.items(ctx, "", raw)
		if err != nil {
			return nil, err
		}
		if string(items) != string(raw) {
			v["cartItem"], changed = items, true
		}
	}
	if !changed {
		return body, nil
	}
	out, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fault.Internalf(err, "a cart cannot be written")
	}
	return out, nil
}

func text(v jsontext.Value) string {
	var out string
	if json.Unmarshal(v, &out) != nil {
		return string(v)
	}
	return out
}

// items translates a list of items.
func (s cartSet) items(ctx context.Context, at string, raw jsontext.Value) (jsontext.Value, error) {
	var all []map[string]jsontext.Value
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fault.Invalidf(at+"cartItem", "a list of items")
	}
	var wrong fault.Several
	for n, it := range all {
		if err := wrong.Add(s.item(ctx, fmt.Sprintf("%scartItem[%d]", at, n), it)); err != nil {
			return nil, err
		}
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return json.Marshal(all, json.Deterministic(true))
}

func (s cartSet) item(ctx context.Context, at string, it map[string]jsontext.Value) error {
	set := func(name, value string) {
		if quoted, err := jsontext.AppendQuote(nil, value); err == nil {
			it[name] = quoted
		}
	}
	if v, ok := it["id"]; ok && v.Kind() == '0' {
		set("id", string(v))
	}
	if v, ok := it["action"]; ok {
		set("action", action(text(v), false))
	}
	if raw, ok := it["cartItem"]; ok {
		inner, err := s.items(ctx, at+".", raw)
		if err != nil {
			return err
		}
		it["cartItem"] = inner
	}
	raw, ok := it["productOffering"]
	if !ok || raw.Kind() != '{' {
		return nil
	}
	var ref sid.Ref
	if err := json.Unmarshal(raw, &ref); err != nil || ref.ID == "" {
		return fault.Invalidf(at+".productOffering.id", "productOffering.id is mandatory")
	}
	return s.offered(ctx, at, it, ref)
}

// offered finds the offering of an item by its key, and puts what it includes within the item.
func (s cartSet) offered(ctx context.Context, at string, it map[string]jsontext.Value, ref sid.Ref) error {
	found, err := s.a.offering(ctx, &ref)
	if err != nil {
		return fault.From(err).At(at + ".productOffering.id")
	}
	includes, had := found.Rest["includedItems"]
	found.Rest = found.Rest.Without("includedItems")
	if it["productOffering"], err = json.Marshal(found, json.Deterministic(true)); err != nil {
		return fault.Internalf(err, "an offering cannot be written")
	}
	if !had {
		return nil
	}
	var all []included
	if err := json.Unmarshal(includes, &all); err != nil {
		return fault.Invalidf(at+".productOffering.includedItems", "includedItems is a list of id, quantity and action")
	}
	var inner []map[string]any
	for _, one := range all {
		what := map[string]any{"action": desk.First(action(one.Action, false), "add"), "productOffering": map[string]any{"id": one.ID}}
		if one.Quantity > 0 {
			what["quantity"] = one.Quantity
		}
		inner = append(inner, what)
	}
	list, err := json.Marshal(inner, json.Deterministic(true))
	if err != nil {
		return fault.Internalf(err, "items cannot be written")
	}
	it["cartItem"], err = s.items(ctx, at+".", list)
	return err
}
