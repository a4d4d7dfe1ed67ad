// Package ordertest builds the domains that orders span on a store, with a service provider, a catalogue and
// pools, for the tests of whatever stands on them.
package ordertest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/connect/npg"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

// Plans is the catalogue of a House.
const Plans = `
currency: CHF
taxRate: 8.1
plans:
  - key: start
    name: Start
    price: 0
    openingBalance: 5
  - key: plus
    name: Plus
    price: 19.90
    openingBalance: 25
    bundles:
      - {name: Data, type: data, amount: 5 GB, validityDays: 30}
      - {name: Talk, type: voice, amount: 100 min, validityDays: 30}
      - {name: Texts, type: sms, amount: 50, validityDays: 30}
addOns:
  - key: extra
    name: Extra
    kind: boltOn
    oneTimePrice: 2
    bundles:
      - {name: Extra data, type: data, amount: 1 GB, validityDays: 7}
  - key: weekly
    name: Weekly
    kind: package
    price: 3
    period: week
    bundles:
      - {name: Weekly data, type: data, amount: 500 MB, recurring: true}
`

// House is every domain on one store, with a network and a number portability gateway that are simulated.
type House struct {
	*house.House
	// Net answers everything at once, unless the house was made with another network.
	Net *network.Simulator
	// Told are the messages that customers were sent, in their order.
	Told *Told
}

// Told keeps messages.
type Told struct {
	mu       sync.Mutex
	messages []order.Message
}

// Notify implements order.Notifier.
func (o *Told) Notify(_ context.Context, m order.Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages = append(o.messages, m)
	return nil
}

// All are the messages so far.
func (o *Told) All() []order.Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.messages)
}

// New builds the domains; the store holds nothing yet.
func New(s *store.Store) *House { return NewOn(s, network.SimulatorOptions{}) }

// NewOn is New with a network that behaves as the options say. Its callbacks are taken.
func NewOn(s *store.Store, o network.SimulatorOptions) *House {
	h := &House{Net: network.NewSimulator(o), Told: &Told{}}
	h.House = house.New(s, house.Outside{
		Network: h.Net, Ports: npg.NewSimulator(npg.Options{Now: s.Now}), Notifier: h.Told,
		Secret: []byte("the secret of an installation"),
	})
	h.Net.OnCallback(h.Network.Tell)
	return h
}

// Furnish creates the service provider, loads Plans, and fills the pools with so many numbers and SIMs.
func (h *House) Furnish(ctx context.Context, t testing.TB, resources int) {
	t.Helper()
	if _, _, err := h.Providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
		t.Fatal(err)
	}
	offerings, err := catalog.Parse([]byte(Plans))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Catalog.Load(ctx, offerings); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Inventory.AddNumbers(ctx, msisdn.Number("41790000000"), resources); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Inventory.AddSIMs(ctx, inventory.Batch{Issuer: "41001", Network: "22801", First: 1, Count: resources}); err != nil {
		t.Fatal(err)
	}
}

// Account makes a person, a customer and a prepaid account.
func (h *House) Account(ctx context.Context, t testing.TB) id.ID {
	t.Helper()
	p, _, err := h.Parties.Individuals.Add(ctx, &party.Individual{GivenName: "Jane", FamilyName: "Doe"})
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := h.Customers.Customers.Add(ctx, &customer.Customer{Name: "Jane Doe", EngagedParty: &sid.Ref{ID: string(p)}})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := h.Accounts.Billing.Add(ctx, &account.Account{Name: "Jane", RelatedParty: []sid.Ref{{ID: string(c)}}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Offering is the id of a plan by its key.
func (h *House) Offering(ctx context.Context, t testing.TB, key string) id.ID {
	t.Helper()
	i, err := h.Catalog.ByKey(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Order is an order of one line on a plan.
func (h *House) Order(ctx context.Context, t testing.TB, a id.ID, plan string, wishes ...sid.Characteristic) *order.Order {
	t.Helper()
	it := order.Item{Action: "add", Offering: &sid.Ref{ID: string(h.Offering(ctx, t, plan))}}
	if len(wishes) > 0 {
		it.Product = &order.Product{Characteristics: wishes}
	}
	return &order.Order{BillingAccount: &sid.Ref{ID: string(a)}, Items: []order.Item{it}}
}

// Work runs due jobs until none is left, in the scope of ctx, and says how many it ran. A job that fails is tried again at once,
// three times at most.
func (h *House) Work(ctx context.Context, t testing.TB) (ran int) {
	t.Helper()
	handlers := h.Jobs()
	maps.Copy(handlers, h.WaitingJobs())
	for {
		jobs, err := h.Store.ClaimJobs(ctx, 16, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			return ran
		}
		for _, j := range jobs {
			ran++
			h.runOne(ctx, t, handlers[j.Kind], j)
		}
	}
}

func (h *House) runOne(ctx context.Context, t testing.TB, run job.Handler, j job.Job) {
	t.Helper()
	err := run(ctx, j)
	var dead job.Permanent
	switch {
	case err == nil:
		err = h.Store.FinishJob(ctx, j)
	case errors.As(err, &dead) || j.Attempts >= 3:
		err = h.Store.FailJob(ctx, j, time.Time{}, err.Error())
	default:
		err = h.Store.FailJob(ctx, j, h.Store.Now(ctx), err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Balanced holds that the ledger makes and loses nothing.
func (h *House) Balanced(ctx context.Context, t testing.TB) {
	t.Helper()
	wrong, err := h.Store.Unbalanced(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range wrong {
		t.Error(w)
	}
}
