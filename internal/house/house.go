// Package house builds every domain on one store and joins those that must hear of one another: what the server, the
// commands, demonstration data, simulations and tests stand on.
package house

import (
	"context"
	"maps"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/adjustment"
	"github.com/demarc-bss/demarc/internal/autotopup"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/bulkupload"
	"github.com/demarc-bss/demarc/internal/cart"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/credential"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/message"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/referral"
	"github.com/demarc-bss/demarc/internal/renewal"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
	"github.com/demarc-bss/demarc/internal/voucher"
)

// House is every domain on one store.
type House struct {
	Store         *store.Store
	Providers     *provider.Service
	Parties       *party.Service
	Customers     *customer.Service
	Accounts      *account.Service
	Catalog       *catalog.Service
	Inventory     *inventory.Service
	Network       *network.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
	Vouchers      *voucher.Service
	Adjustments   *adjustment.Service
	Referrals     *referral.Service
	Payments      *payment.Service
	Renewals      *renewal.Service
	AutoTopups    *autotopup.Service
	Usage         *usage.Service
	Carts         *cart.Service
	Orders        *order.Service
	Uploads       *bulkupload.Service
	Messages      *message.Service
	Credentials   *credential.Service
}

// Outside is the other systems that a house works with.
type Outside struct {
	// Network does what lines need of the network, and NetworkPatience is for how long it is asked (default 24 h).
	Network         network.Connector
	NetworkPatience time.Duration
	// Ports is the number portability gateway. Notifier tells customers what became of their orders; nil: messages do.
	Ports    order.PortGateway
	Notifier order.Notifier
	// Channels are the ways that messages go, and As is how delivery reports find theirs (message.Parts).
	Channels map[message.Channel]message.Connector
	As       func(ctx context.Context, spid int) context.Context
	// Payments is the way to the payment gateway; nil: nothing can be charged.
	Payments payment.Gateway
	// Secret is the installation's: what the PINs of vouchers are found by is keyed with it. Without one there are no
	// vouchers.
	Secret []byte
}

// New builds the domains on a store; call it once, before the store is used.
func New(s *store.Store, o Outside) *House {
	h := &House{Store: s}
	h.Providers = provider.New(s)
	h.Parties = party.New(s)
	h.Customers = customer.New(s, h.Parties)
	h.Accounts = account.New(s, h.Customers, h.Parties, h.Providers)
	h.Catalog = catalog.New(s)
	h.Inventory = inventory.New(s, h.Providers)
	h.Network = network.New(s, network.Options{
		Connector: o.Network, Patience: o.NetworkPatience,
		Ended: func(ctx context.Context, e network.Outcome) error { return h.Orders.NetworkEnded(ctx, e) },
	})
	h.Subscriptions = subscription.New(s, h.Accounts, h.Providers)
	h.Balances = balance.New(s, balance.Parts{Providers: h.Providers, Line: h.holder, Lines: h.holders})
	h.Vouchers = voucher.New(s, voucher.Parts{
		Providers: h.Providers, Accounts: h.Accounts, Subscriptions: h.Subscriptions, Balances: h.Balances, Secret: o.Secret,
	})
	h.Balances.TakeVouchers(h.Vouchers)
	h.Adjustments = adjustment.New(s, adjustment.Parts{Providers: h.Providers, Subscriptions: h.Subscriptions, Balances: h.Balances})
	h.Payments = payment.New(s, payment.Parts{
		Providers: h.Providers, Accounts: h.Accounts, Subscriptions: h.Subscriptions, Balances: h.Balances, Gateway: o.Payments, Secret: o.Secret,
	})
	h.Renewals = renewal.New(s, renewal.Parts{
		Providers: h.Providers, Accounts: h.Accounts, Catalog: h.Catalog, Subscriptions: h.Subscriptions, Balances: h.Balances,
		Inventory: h.Inventory,
	})
	h.Usage = usage.New(s, usage.Parts{Providers: h.Providers, Catalog: h.Catalog, Subscriptions: h.Subscriptions, Balances: h.Balances})
	h.Referrals = referral.New(s, referral.Parts{
		Providers: h.Providers, Customers: h.Customers, Accounts: h.Accounts, Catalog: h.Catalog, Subscriptions: h.Subscriptions, Balances: h.Balances,
	})
	h.Carts = cart.New(s, cart.Parts{Providers: h.Providers, Catalog: h.Catalog, Subscriptions: h.Subscriptions, Referral: h.Referrals.Known})
	h.Messages = message.New(s, message.Parts{
		Providers: h.Providers, Parties: h.Parties, Customers: h.Customers, Accounts: h.Accounts, Subscriptions: h.Subscriptions,
		Connectors: o.Channels, As: o.As, Secret: o.Secret,
	})
	h.Credentials = credential.New(s, credential.Parts{Providers: h.Providers, Subscriptions: h.Subscriptions, Messages: h.Messages, Secret: o.Secret})
	if o.Notifier == nil && len(o.Channels) > 0 {
		o.Notifier = teller{h}
	}
	h.AutoTopups = autotopup.New(s, autotopup.Parts{
		Providers: h.Providers, Accounts: h.Accounts, Subscriptions: h.Subscriptions, Balances: h.Balances, Renewals: h.Renewals,
		Payments: h.Payments, Messages: h.Messages,
	})
	h.Orders = order.New(s, order.Parts{
		Providers: h.Providers, Customers: h.Customers, Accounts: h.Accounts, Catalog: h.Catalog, Inventory: h.Inventory,
		Subscriptions: h.Subscriptions, Balances: h.Balances, Network: h.Network, Renewals: h.Renewals, Carts: h.Carts,
		Ports: o.Ports, Notifier: o.Notifier, AutoTopup: autotopup.Orders{Service: h.AutoTopups}, Referral: h.Referrals,
	})
	h.Uploads = bulkupload.New(s, bulkupload.Parts{
		Providers: h.Providers, Accounts: h.Accounts, Catalog: h.Catalog, Inventory: h.Inventory,
		Subscriptions: h.Subscriptions, Balances: h.Balances,
	})
	s.React(h.follow, event.TypeOf(subscription.Kind.Name, event.State))
	if len(o.Channels) > 0 {
		s.React(h.warn, balance.ThresholdEvent)
	}
	return h
}

// holder finds a line for balances, which know none.
func (h *House) holder(ctx context.Context, text string) (balance.Holder, error) {
	i, v, err := h.Subscriptions.Resolve(ctx, text)
	return balance.Holder{Subscription: i, Account: v.AccountID, Number: string(v.MSISDN), Ended: v.State.Ended()}, err
}

// Jobs are the handlers of all jobs that the domains promise and that touch the store alone, by kind.
func (h *House) Jobs() map[string]job.Handler {
	all := map[string]job.Handler{}
	for _, jobs := range []map[string]job.Handler{
		h.Inventory.Jobs(), h.Balances.Jobs(), h.Orders.Jobs(), h.Renewals.Jobs(), h.Subscriptions.Jobs(), h.Usage.Jobs(), h.Vouchers.Jobs(), h.Carts.Jobs(), h.Uploads.Jobs(), h.Adjustments.Jobs(), h.Referrals.Jobs(),
		h.AutoTopups.Jobs(),
	} {
		maps.Copy(all, jobs)
	}
	return all
}

// WaitingJobs are the handlers of jobs that wait for other systems, by kind.
func (h *House) WaitingJobs() map[string]job.Handler {
	all := h.Network.Jobs()
	maps.Copy(all, h.Catalog.Jobs())
	maps.Copy(all, h.Orders.WaitingJobs())
	maps.Copy(all, h.Payments.WaitingJobs())
	maps.Copy(all, h.Messages.Jobs())
	return all
}
