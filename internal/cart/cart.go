// Package cart keeps what a customer is about to buy (TMF663 Shopping Cart), priced as it changes.
package cart

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Kind is the id kind of carts.
var Kind = id.Kind{Name: "shoppingCart", Prefix: "crt"}

// JobExpire is the kind of job that ends a cart that nobody touched for long.
const JobExpire = "cart.expire"

const (
	// CodeEnded is the use of a cart that was ordered or has expired.
	CodeEnded fault.Code = "shoppingCartEnded"
	// CodeEmpty is the order of a cart with nothing in it.
	CodeEmpty fault.Code = "shoppingCartEmpty"
)

// Status is where a cart stands; TMF663 has no attribute for it.
type Status string

// A cart is active until it is ordered or its time is over.
const (
	Active  Status = "active"
	Ordered Status = "ordered"
	Expired Status = "expired"
)

// The status of items (TMF663 CartItemStatusType): what is saved for later is neither priced nor ordered.
const (
	Open  = "active"
	Saved = "savedForLater"
)

// mostItems bounds a cart.
const mostItems = 100

// Cart is what a customer is about to buy (TMF663 ShoppingCart). Status, Order and CustomerID extend the standard.
type Cart struct {
	Type   string `json:"@type,omitzero"`
	Items  []Item `json:"cartItem,omitzero"`
	Status Status `json:"status,omitzero"`
	// Total is what it comes to, by kind of price; see Totals.
	Total        []subscription.Price `json:"cartTotalPrice,omitzero"`
	RelatedParty []sid.Ref            `json:"relatedParty,omitzero"`
	// CustomerID is the id of the related party whose cart it is.
	CustomerID string      `json:"customerId,omitzero"`
	ValidFor   *sid.Period `json:"validFor,omitzero"`
	// Referral is the code of who recommended the service provider; the order takes it over.
	Referral string `json:"referralCode,omitzero"`
	// Order is the order that was made of it.
	Order *sid.Ref `json:"productOrder,omitzero"`
	Rest  sid.Rest `json:",embed"`
}

// Item is one thing in a cart (TMF663 CartItem).
type Item struct {
	ID       string   `json:"id,omitzero"`
	Action   string   `json:"action,omitzero"`
	Quantity int      `json:"quantity,omitzero"`
	Status   string   `json:"status,omitzero"`
	Offering *sid.Ref `json:"productOffering,omitzero"`
	Product  *Product `json:"product,omitzero"`
	// Prices are what one of it costs, Total all of it and what is within it.
	Prices []subscription.Price `json:"itemPrice,omitzero"`
	Total  []subscription.Price `json:"itemTotalPrice,omitzero"`
	Items  []Item               `json:"cartItem,omitzero"`
	Rest   sid.Rest             `json:",embed"`
}

// Product is what an item makes or changes.
type Product struct {
	ID              string               `json:"id,omitzero"`
	Name            string               `json:"name,omitzero"`
	Characteristics []sid.Characteristic `json:"productCharacteristic,omitzero"`
	Rest            sid.Rest             `json:",embed"`
}

// Parts are the domains that carts span.
type Parts struct {
	Providers     *provider.Service
	Catalog       *catalog.Service
	Subscriptions *subscription.Service
	// Referral refuses a referral code that cannot be used; nil: none is looked at before the order.
	Referral func(ctx context.Context, code string) error
}

// Service is all carts.
type Service struct {
	Carts *resource.Set[Cart]
	Parts
	store *store.Store
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	v := &Service{Parts: p, store: s}
	v.Carts = resource.New(s, store.Definition{
		Kind: Kind, Table: "shopping_cart", Indexed: map[string]string{"customerId": "customer_id", "status": "status"},
		Loose: []string{"cartItem", "relatedParty", "productOrder", "customerId"},
	}, v.rules())
	return v
}

func (s *Service) rules() resource.Rules[Cart] {
	return resource.Rules[Cart]{
		Domain: "shoppingCart",
		Home: func(v *Cart) (id.Home, bool) {
			for _, r := range v.RelatedParty {
				if h, ok := id.ID(r.ID).Home(); ok {
					return h, true
				}
			}
			return 0, false
		},
		Create: func(ctx context.Context, _ id.ID, v *Cart, now time.Time) error {
			v.Status, v.Order = Active, nil
			if v.Type == "" {
				v.Type = "ShoppingCart"
			}
			return s.settle(ctx, nil, v, now)
		},
		Change: func(ctx context.Context, prev, v *Cart, now time.Time) error {
			if prev.Status != Active {
				return fault.Conflictf(CodeEnded, "the shopping cart is %s: it cannot be changed", prev.Status).At("status")
			}
			if v.Status != Active {
				return nil
			}
			return s.settle(ctx, prev, v, now)
		},
		After: s.after,
		State: func(v *Cart) string { return string(v.Status) },
		Fixed: []string{"status", "productOrder", "cartTotalPrice", "validFor"},
	}
}

// settle prices a cart and has it live on from now. Whom it did not name before it must be able to name.
func (s *Service) settle(ctx context.Context, prev, v *Cart, now time.Time) error {
	for n, r := range v.RelatedParty {
		if prev != nil && slices.ContainsFunc(prev.RelatedParty, func(was sid.Ref) bool { return was.ID == r.ID }) {
			continue
		}
		if there, err := s.store.Leads(ctx, r.ID, r.Href); err != nil {
			return err
		} else if !there {
			return fault.Invalidf(fmt.Sprintf("relatedParty[%d].id", n), "%s does not exist", r.ID)
		}
	}
	if v.Referral != "" && s.Referral != nil && (prev == nil || prev.Referral != v.Referral) {
		if err := s.Referral(ctx, v.Referral); err != nil {
			return err
		}
	}
	v.CustomerID = ""
	for _, r := range v.RelatedParty {
		if v.CustomerID == "" || r.Role == "customer" || r.ReferredType == "Customer" {
			v.CustomerID = r.ID
		}
	}
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return err
	}
	end := now.Add(time.Duration(provider.Or(rules.Policy.CartHours, 72)) * time.Hour)
	start := now
	if v.ValidFor != nil && v.ValidFor.Start != nil {
		start = *v.ValidFor.Start
	}
	v.ValidFor = &sid.Period{Start: &start, End: &end}
	return s.price(ctx, v, now)
}

// number gives every item an id of its own within the cart and the default action and status.
func number(items []Item, prefix, at string, seen map[string]bool, wrong *fault.Several) {
	for n := range items {
		it := &items[n]
		here := at + "cartItem[" + strconv.Itoa(n) + "]"
		if it.ID == "" {
			for k := n + 1; it.ID == "" || seen[it.ID]; k++ {
				it.ID = prefix + strconv.Itoa(k)
			}
		}
		if seen[it.ID] {
			wrong.Invalidf(here+".id", "two items have the id %q", it.ID)
		}
		seen[it.ID] = true
		switch it.Action {
		case "":
			it.Action = "add"
		case "add", "modify", "delete", "noChange":
		default:
			wrong.Invalidf(here+".action", "an action is add, modify, delete or noChange")
		}
		if it.Status == "" {
			it.Status = Open
		}
		if it.Quantity < 0 || it.Quantity > mostItems {
			wrong.Invalidf(here+".quantity", "a quantity is 1 to %d", mostItems)
		}
		if len(seen) > mostItems {
			wrong.Invalidf(here, "a cart has at most %d items", mostItems)
			return
		}
		number(it.Items, it.ID+".", here+".", seen, wrong)
	}
}

// after promises the end of an active cart.
func (s *Service) after(ctx context.Context, i id.ID, _, next *Cart) error {
	if next == nil || next.Status != Active || next.ValidFor == nil || next.ValidFor.End == nil {
		return nil
	}
	return s.promise(ctx, i, *next.ValidFor.End)
}

type expiring struct {
	Cart id.ID `json:"cart"`
}

func (s *Service) promise(ctx context.Context, i id.ID, at time.Time) error {
	payload, err := json.Marshal(expiring{i})
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{Kind: JobExpire, Key: string(i) + "/" + at.UTC().Format(time.RFC3339), Payload: payload, RunAt: at})
	return err
}

// Jobs are the handlers of this package's jobs, by kind.
func (s *Service) Jobs() map[string]job.Handler { return map[string]job.Handler{JobExpire: s.expire} }

// errAsItWas ends a change that has nothing to change.
var errAsItWas = fault.New(fault.Conflict, "nothingToChange", "it is as it should be")

// expire ends a cart whose time is over.
func (s *Service) expire(ctx context.Context, j job.Job) error {
	var e expiring
	if err := json.Unmarshal(j.Payload, &e); err != nil {
		return job.Permanent{Err: err}
	}
	now := s.store.Now(ctx)
	_, err := s.Carts.Change(ctx, e.Cart, func(v *Cart) error {
		if v.Status != Active || v.ValidFor == nil || v.ValidFor.End == nil || now.Before(*v.ValidFor.End) {
			return errAsItWas
		}
		v.Status = Expired
		return nil
	})
	if fault.KindOf(err) == fault.NotFound || fault.From(err) != nil && fault.From(err).Code == errAsItWas.Code {
		return nil
	}
	return err
}

// Orderable refuses a cart that cannot be ordered (any more).
func (v Cart) Orderable(now time.Time) error {
	if v.Status == Ordered {
		return fault.Conflictf(CodeEnded, "the shopping cart was ordered already")
	}
	if v.Status == Expired || v.ValidFor != nil && v.ValidFor.End != nil && !now.Before(*v.ValidFor.End) {
		return fault.Conflictf(CodeEnded, "the shopping cart has expired")
	}
	return nil
}

// Ordered makes a cart one that an order was made of; a second order of it is a Conflict fault (CodeEnded).
func (s *Service) Ordered(ctx context.Context, i, order id.ID) error {
	now := s.store.Now(ctx)
	_, err := s.Carts.Change(ctx, i, func(v *Cart) error {
		if err := v.Orderable(now); err != nil {
			return err
		}
		v.Status, v.Order = Ordered, &sid.Ref{ID: string(order)}
		return nil
	})
	return err
}
