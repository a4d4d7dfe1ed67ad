// Package order carries out what customers buy (TMF622 Product Ordering): an order is checked, acknowledged,
// and carried out in durable steps, each a job in a transaction of its own; a step that fails has those before
// it compensated, in reverse. A process that is killed goes on where it was.
package order

import (
	"context"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Kind is the id kind of orders.
var Kind = id.Kind{Name: "productOrder", Prefix: "ord"}

// Order is what a customer buys (TMF622 ProductOrder).
type Order struct {
	Type           string     `json:"@type,omitzero"`
	State          State      `json:"state,omitzero"`
	ExternalID     string     `json:"externalId,omitzero"`
	OrderDate      time.Time  `json:"orderDate,omitzero"`
	CompletionDate *time.Time `json:"completionDate,omitzero"`
	BillingAccount *sid.Ref   `json:"billingAccount,omitzero"`
	RelatedParty   []sid.Ref  `json:"relatedParty,omitzero"`
	Items          []Item     `json:"productOrderItem,omitzero"`
	Total          []Price    `json:"orderTotalPrice,omitzero"`
	// UserData are name-value pairs that came with the order ("CHANNEL"), kept as they came.
	UserData []NameValue `json:"userData,omitzero"`
	// Errors say what went wrong, the oldest first (TMF622 v5 ProductOrderErrorMessage).
	Errors []ErrorMessage `json:"productOrderErrorMessage,omitzero"`
	Rest   sid.Rest       `json:",embed"`
}

// Price is an amount of an order (TMF622 OrderPrice).
type Price = subscription.Price

// Item is one thing that is ordered (TMF622 ProductOrderItem).
type Item struct {
	ID       string   `json:"id,omitzero"`
	Action   string   `json:"action,omitzero"`
	Quantity int      `json:"quantity,omitzero"`
	State    State    `json:"state,omitzero"`
	Offering *sid.Ref `json:"productOffering,omitzero"`
	Product  *Product `json:"product,omitzero"`
	Prices   []Price  `json:"itemPrice,omitzero"`
	// Process names the steps that carry the item out; empty when a person does.
	Process string `json:"process,omitzero"`
	// Milestones are those steps, in their order.
	Milestones []Milestone `json:"milestone,omitzero"`
	Rest       sid.Rest    `json:",embed"`
}

// NameValue is one pair of an order's user data.
type NameValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Product is what the item makes: the line, once there is one.
type Product struct {
	ID              string               `json:"id,omitzero"`
	Name            string               `json:"name,omitzero"`
	Characteristics []sid.Characteristic `json:"productCharacteristic,omitzero"`
	// Resources are the number and the SIM that are reserved for it.
	Resources []sid.Ref `json:"realizingResource,omitzero"`
	Rest      sid.Rest  `json:",embed"`
}

// Wish asks for a value of a characteristic: CharMSISDN, CharICCID. It is false when another is asked for
// already.
func (p *Product) Wish(name, value string) bool {
	for _, c := range p.Characteristics {
		if strings.EqualFold(c.Name, name) {
			return textOf(c.Value) == value
		}
	}
	p.set(name, value)
	return true
}

// resource is the id of the first resource of a kind; empty when there is none.
func (p *Product) resource(k id.Kind) id.ID {
	for _, r := range p.Resources {
		if id.ID(r.ID).Is(k) {
			return id.ID(r.ID)
		}
	}
	return ""
}

// Milestone is a step of an item (TMF622 v5 Milestone).
type Milestone struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitzero"`
	Status      MilestoneStatus `json:"status"`
	Date        *time.Time      `json:"milestoneDate,omitzero"`
	Message     string          `json:"message,omitzero"`
}

// MilestoneStatus is where a step stands.
type MilestoneStatus string

// A step is pending until it is done; one that fails stops the item, and those done before it are taken
// back.
const (
	StepPending     MilestoneStatus = "pending"
	StepCompleted   MilestoneStatus = "completed"
	StepFailed      MilestoneStatus = "failed"
	StepCompensated MilestoneStatus = "compensated"
)

// ErrorMessage is why an item failed.
type ErrorMessage struct {
	Code      fault.Code `json:"code"`
	Reason    string     `json:"reason"`
	Timestamp time.Time  `json:"timestamp"`
	// Item is the id of the item that failed.
	Item string `json:"productOrderItemId,omitzero"`
}

// Parts are the domains that orders span.
type Parts struct {
	Customers     *customer.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Inventory     *inventory.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
}

// Service is all orders.
type Service struct {
	Orders *resource.Set[Order]
	Parts
	store     *store.Store
	processes map[string]Process
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	o := &Service{store: s, Parts: p}
	o.processes = map[string]Process{newLine: o.newLine()}
	o.Orders = resource.New(s, store.Definition{
		Kind: Kind, Table: "product_order", Indexed: map[string]string{"state": "state"},
		Loose: []string{"billingAccount", "relatedParty", "agreement", "payment", "quote", "productOrderItem"},
	}, o.rules())
	return o
}

// OfAccount asks for the orders of an account, or all when it is empty, the newest first.
func OfAccount(i id.ID, offset, limit int) store.Query {
	q := store.Query{Sort: []store.Sort{{Path: []string{"orderDate"}, Desc: true}}, Offset: offset, Limit: limit}
	if i != "" {
		q.Filters = []store.Filter{{Path: []string{"billingAccount", "id"}, Op: store.Eq, Values: []string{string(i)}, Type: store.Text}}
	}
	return q
}

func (s *Service) rules() resource.Rules[Order] {
	return resource.Rules[Order]{
		Domain: "productOrderingManagement",
		Home: func(v *Order) (id.Home, bool) {
			if v.BillingAccount == nil {
				return 0, false
			}
			return id.ID(v.BillingAccount.ID).Home()
		},
		Create: func(ctx context.Context, _ id.ID, v *Order, now time.Time) error { return s.begin(ctx, v, now) },
		Change: func(_ context.Context, prev, v *Order, _ time.Time) error { return v.follow(prev) },
		Remove: func(_ context.Context, v *Order) error { return v.removable() },
		After: func(ctx context.Context, i id.ID, prev, next *Order) error {
			if next == nil || prev != nil && (prev.State.runs() || !next.State.runs()) {
				return nil
			}
			return s.enqueue(ctx, i, next.next()) // new, or let go after it was held
		},
		State: func(v *Order) string { return string(v.State) },
		Fixed: []string{"orderDate", "completionDate", "billingAccount", "productOrderItem", "orderTotalPrice", "productOrderErrorMessage"},
	}
}
