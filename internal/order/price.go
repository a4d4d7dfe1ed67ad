package order

import (
	"context"

	"github.com/demarc-bss/demarc/internal/cart"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
)

// total sums the items' prices by kind.
func (v *Order) total() (err error) {
	var prices []cart.Line
	for _, it := range v.all() {
		prices = append(prices, cart.Line{Quantity: max(it.Quantity, 1), Prices: it.Prices})
	}
	v.Total, err = cart.Totals(prices)
	return err
}

// fromCart fills an order that names a cart and no items with what is in it.
func (p *planner) fromCart(ctx context.Context) error {
	i := refTo(p.v.Cart, cart.Kind)
	if p.v.Cart == nil {
		return nil
	}
	if i == "" {
		return p.wrong.add("shoppingCart.id", fault.Invalidf("", "there is no shopping cart %s", p.v.Cart.ID))
	}
	c, _, err := p.s.Carts.Carts.Get(ctx, i)
	if err == nil {
		err = c.Orderable(p.now)
	}
	if err != nil {
		return p.wrong.add("shoppingCart.id", pathless(err))
	}
	if len(p.v.RelatedParty) == 0 {
		p.v.RelatedParty = c.RelatedParty
	}
	if p.v.Referral == "" {
		p.v.Referral = c.Referral
	}
	if len(p.v.Items) > 0 {
		return nil
	}
	for _, it := range c.Items {
		if it.Status != cart.Saved {
			p.v.Items = append(p.v.Items, fromCart(it))
		}
	}
	var wrong fault.Several
	p.v.numberItems(&wrong)
	if len(p.v.Items) == 0 {
		return p.wrong.add("shoppingCart.id", fault.Conflictf(cart.CodeEmpty, "the shopping cart is empty"))
	}
	if err := p.wrong.add("shoppingCart.id", wrong.Err()); err != nil {
		return err
	}
	return p.wished(ctx)
}

// wished gives the one new line of the cart what the order asks for.
func (p *planner) wished(ctx context.Context) error {
	if len(p.v.Wishes) == 0 {
		return nil
	}
	var lines []*Item
	for n := range p.v.Items {
		it := &p.v.Items[n]
		i := refTo(it.Offering, catalog.Kind)
		if i == "" || it.Action != actionAdd || it.Product != nil && it.Product.ID != "" {
			continue
		}
		o, _, err := p.s.Catalog.Offerings.Get(ctx, i)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		if o.OfferingType == catalog.PricePlan {
			lines = append(lines, it)
		}
	}
	if len(lines) != 1 {
		return p.wrong.add("userData", fault.Invalidf("", "a number or a SIM in userData is for a cart with one new subscription: this has %d", len(lines)))
	}
	if lines[0].Product == nil {
		lines[0].Product = &Product{}
	}
	for _, w := range p.v.Wishes {
		if !lines[0].Product.Wish(w.Name, textOf(w.Value)) {
			return p.wrong.add("userData", fault.Invalidf("", "the cart asks for another %s already", w.Name))
		}
	}
	return nil
}

func fromCart(it cart.Item) Item {
	out := Item{ID: it.ID, Action: it.Action, Quantity: it.Quantity, Offering: it.Offering}
	if it.Product != nil {
		out.Product = &Product{ID: it.Product.ID, Name: it.Product.Name, Characteristics: it.Product.Characteristics}
	}
	for _, one := range it.Items {
		out.Items = append(out.Items, fromCart(one))
	}
	return out
}

// takeCart makes the cart one that was ordered.
func (p *planner) takeCart(ctx context.Context) error {
	if i := refTo(p.v.Cart, cart.Kind); i != "" {
		return p.s.Carts.Ordered(ctx, i, p.order)
	}
	return nil
}
