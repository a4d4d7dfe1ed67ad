// Package order carries out what customers buy (TMF622 Product Ordering): an order is checked, acknowledged,
// and carried out in durable steps, each a job in a transaction of its own; a step that fails has those before
// it compensated, in reverse. A process that is killed goes on where it was.
package order

import (
	"context"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/cart"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/renewal"
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
	// RequestedStart is before when nothing of the order is carried out: until then it is pending.
	RequestedStart *time.Time `json:"requestedStartDate,omitzero"`
	// ExpectedCompletion is when it should be done, as far as demarc can tell.
	ExpectedCompletion *time.Time `json:"expectedCompletionDate,omitzero"`
	CancellationDate   *time.Time `json:"cancellationDate,omitzero"`
	CancellationReason string     `json:"cancellationReason,omitzero"`
	// Cancels is the request to cancel it that is being carried out.
	Cancels id.ID `json:"cancelProductOrderId,omitzero"`
	// Priority is 0 to 4; 0 is the highest.
	Priority       string    `json:"priority,omitzero"`
	BillingAccount *sid.Ref  `json:"billingAccount,omitzero"`
	RelatedParty   []sid.Ref `json:"relatedParty,omitzero"`
	Items          []Item    `json:"productOrderItem,omitzero"`
	// Total is what it comes to, by kind of price: one-off, recurring by period, discount, and the tax in them.
	Total []Price `json:"orderTotalPrice,omitzero"`
	// Cart is the shopping cart that was ordered.
	Cart *sid.Ref `json:"shoppingCart,omitzero"`
	// UserData are name-value pairs that came with the order ("CHANNEL"), kept as they came.
	UserData []NameValue `json:"userData,omitzero"`
	// Wishes are characteristics that the one new line of an order asks for whose items are those of its cart.
	Wishes []sid.Characteristic `json:"-"`
	// TopupToken and TopupAmount ask for an automatic top-up of the new line: a stored payment method's token and
	// how much of the account's currency.
	TopupToken  string         `json:"atuTokenID,omitzero"`
	TopupAmount jsontext.Value `json:"atuAmount,omitzero"`
	// Referral is the code of who recommended the service provider.
	Referral string `json:"referralCode,omitzero"`
	// Errors say what went wrong, the oldest first (TMF622 v5 ProductOrderErrorMessage).
	Errors []ErrorMessage `json:"productOrderErrorMessage,omitzero"`
	Rest   sid.Rest       `json:",embed"`
}

// Price is an amount of an order (TMF622 OrderPrice).
type Price = subscription.Price

// The actions of items (TMF622 OrderItemActionType).
const (
	actionAdd    = "add"
	actionModify = "modify"
	actionDelete = "delete"
	actionNone   = "noChange"
)

// Item is one thing that is ordered (TMF622 ProductOrderItem).
type Item struct {
	ID       string   `json:"id,omitzero"`
	Action   string   `json:"action,omitzero"`
	Quantity int      `json:"quantity,omitzero"`
	State    State    `json:"state,omitzero"`
	Offering *sid.Ref `json:"productOffering,omitzero"`
	Product  *Product `json:"product,omitzero"`
	Prices   []Price  `json:"itemPrice,omitzero"`
	// Items are what belongs to it: the add-ons of a new line, the changes of a line that is there.
	Items []Item `json:"productOrderItem,omitzero"`
	// Block has a deletion take the price plan off a line that stays, blocked, with its number.
	Block bool `json:"blocks,omitzero"`

	// Process names the steps that carry the item out; empty when a person does, or the item that it belongs to.
	Process string `json:"process,omitzero"`
	// Milestones are those steps, in their order.
	Milestones []Milestone `json:"milestone,omitzero"`
	// Ends is what the item ends as once what was done of it is taken back: failed or cancelled.
	Ends State `json:"endsAs,omitzero"`
	// With is the id of the item that makes the line this one is for.
	With string `json:"withItem,omitzero"`
	// Was is the state that the line was in before.
	Was subscription.State `json:"lineState,omitzero"`
	// Held are the products that it put on the line.
	Held []id.ID `json:"heldProduct,omitzero"`
	// Port is how the porting of its number stands.
	Port *Port    `json:"port,omitzero"`
	Rest sid.Rest `json:",embed"`
}

// NameValue is one pair of an order's user data.
type NameValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Product is what the item makes, changes or ends: the line or what it holds.
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
// back. Waiting and undoing are steps that another system was asked to do or to take back; unanswered is one that
// it never told of, and that is taken back in case it was done.
const (
	StepPending     MilestoneStatus = "pending"
	StepWaiting     MilestoneStatus = "inProgress"
	StepCompleted   MilestoneStatus = "completed"
	StepFailed      MilestoneStatus = "failed"
	StepUnanswered  MilestoneStatus = "unanswered"
	StepUndoing     MilestoneStatus = "compensating"
	StepCompensated MilestoneStatus = "compensated"
)

// ErrorMessage is why an item failed.
type ErrorMessage struct {
	Code      fault.Code `json:"code"`
	Reason    string     `json:"reason"`
	Timestamp time.Time  `json:"timestamp"`
	// Item is the id of the item that failed, Attribute what of a rejected order is wrong.
	Item      string `json:"productOrderItemId,omitzero"`
	Attribute string `json:"attribute,omitzero"`
}

// AutoTopup sets up top-ups that a stored payment method pays. Who keeps payment methods implements it.
type AutoTopup interface {
	// Check refuses a token or an amount that cannot be used for the account.
	Check(ctx context.Context, account id.ID, token string, amount jsontext.Value) error
	// Begin sets it up for a line, in the transaction in ctx; End takes that back. Each may be repeated.
	Begin(ctx context.Context, line id.ID, token string, amount jsontext.Value) error
	End(ctx context.Context, line id.ID) error
}

// Referral rewards who recommended the service provider. Who keeps referrals implements it.
type Referral interface {
	// Check refuses a code that cannot be used for a new line of the account.
	Check(ctx context.Context, account id.ID, code string) error
	// Apply grants what the code brings, in the transaction in ctx; Revoke takes that back. Each may be repeated.
	Apply(ctx context.Context, line id.ID, code string) error
	Revoke(ctx context.Context, line id.ID, code string) error
}

// Parts are the domains that orders span, and the other systems.
type Parts struct {
	Providers     *provider.Service
	Customers     *customer.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Inventory     *inventory.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
	Network       *network.Service
	Renewals      *renewal.Service
	Carts         *cart.Service

	// AutoTopup and Referral are nil while nobody does that: an order that asks for it is refused.
	AutoTopup AutoTopup
	Referral  Referral
	// Ports is the way to the number portability gateway; nil: no number can be brought along.
	Ports PortGateway
	// Notifier tells people what became of their orders; nil: nobody is told.
	Notifier Notifier
}

// Service is all orders.
type Service struct {
	Orders *resource.Set[Order]
	// Cancellations are the requests to cancel one (TMF622 CancelProductOrder).
	Cancellations *resource.Set[Cancellation]
	Parts
	store     *store.Store
	processes map[string]Process
}

// New makes the service on a store; call it once, before the store is used.
func New(s *store.Store, p Parts) *Service {
	o := &Service{store: s, Parts: p}
	o.processes = o.allProcesses()
	o.Orders = resource.New(s, store.Definition{
		Kind: Kind, Table: "product_order", Indexed: map[string]string{"state": "state"},
		Loose: []string{"billingAccount", "relatedParty", "agreement", "payment", "quote", "productOrderItem", "shoppingCart"},
	}, o.rules())
	o.Cancellations = resource.New(s, store.Definition{
		Kind: CancellationKind, Table: "cancel_product_order", Indexed: map[string]string{"state": "state"},
	}, o.cancellationRules())
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

// strict marks a context in which a refusal is given back instead of recorded.
type strict struct{}

// Place takes an order, or refuses it and keeps nothing. Orders.Create takes the same and, as TMF622 means it,
// records a refusal as a rejected order. What is malformed is an Invalid fault either way; refusals name all that
// is wrong at once.
func (s *Service) Place(ctx context.Context, v *Order) (id.ID, store.Doc, error) {
	return s.Orders.Add(context.WithValue(ctx, strict{}, true), v)
}

func (s *Service) rules() resource.Rules[Order] {
	return resource.Rules[Order]{
		Domain: "productOrderingManagement",
		Home: func(v *Order) (id.Home, bool) {
			if v.BillingAccount != nil {
				return id.ID(v.BillingAccount.ID).Home()
			}
			for _, it := range v.all() {
				if it.Product != nil && id.ID(it.Product.ID).Is(subscription.Kind) {
					return id.ID(it.Product.ID).Home()
				}
			}
			return 0, false
		},
		Create: s.begin,
		Change: func(ctx context.Context, prev, v *Order, _ time.Time) error {
			if err := s.known(ctx, prev, v); err != nil {
				return err
			}
			return v.mayFollow(prev)
		},
		Remove: func(_ context.Context, v *Order) error { return v.removable() },
		After:  s.after,
		State:  func(v *Order) string { return string(v.State) },
		Fixed: []string{
			"orderDate", "completionDate", "billingAccount", "productOrderItem", "orderTotalPrice", "productOrderErrorMessage",
			"shoppingCart", "atuTokenID", "atuAmount", "referralCode", "cancellationDate", "expectedCompletionDate",
		},
	}
}

// after promises what an order waits for, when that is new: it was placed, or let go after it was held.
func (s *Service) after(ctx context.Context, i id.ID, prev, next *Order) error {
	switch {
	case next == nil:
		return nil
	case next.State == PendingOrder && next.RequestedStart != nil &&
		(prev == nil || prev.RequestedStart == nil || !prev.RequestedStart.Equal(*next.RequestedStart) || prev.State != next.State):
		return s.promise(ctx, startJob(i, *next.RequestedStart), i, move{Order: i})
	case prev != nil && prev.State == PendingCancellation && next.State == Cancelled && next.Cancels != "":
		return s.cancelled(ctx, next.Cancels)
	case prev == nil || !prev.State.runs():
		return s.enqueue(ctx, i, next)
	}
	return nil
}

// JobStart is the kind of job that begins an order whose start was wished for later.
const JobStart = "order.start"

func startJob(i id.ID, at time.Time) job.Job {
	return job.Job{Kind: JobStart, Key: string(i) + "/" + at.UTC().Format(time.RFC3339Nano), RunAt: at}
}

// start lets go of an order whose requested start has come.
func (s *Service) start(ctx context.Context, j job.Job) error {
	var m move
	if err := json.Unmarshal(j.Payload, &m); err != nil {
		return job.Permanent{Err: err}
	}
	return s.carry(ctx, m.Order, func(_ context.Context, v *Order, now time.Time) error {
		if v.State != PendingOrder || v.RequestedStart == nil || v.RequestedStart.After(now) {
			return errNotDue
		}
		v.State = InProgress
		return nil
	})
}

// Jobs are the handlers of this package's jobs that touch the store alone, by kind. They open their own
// transactions: a step that is refused is rolled back, and the refusal recorded.
func (s *Service) Jobs() map[string]job.Handler {
	return map[string]job.Handler{JobStep: s.run, JobStart: s.start}
}

// WaitingJobs are the handlers of those that wait for other systems.
func (s *Service) WaitingJobs() map[string]job.Handler {
	return map[string]job.Handler{JobPort: s.port, JobNotify: s.notify}
}
