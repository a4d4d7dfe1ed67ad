package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/trace"

	"github.com/demarc-bss/demarc/internal/api/admin"
	"github.com/demarc-bss/demarc/internal/api/cm"
	"github.com/demarc-bss/demarc/internal/api/nchf"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/connect/files"
	"github.com/demarc-bss/demarc/internal/hub"
)

// errStopping is what /readyz logs between Start and Stop.
var errStopping = errors.New("demarc is not (any more) taking requests")

// tmfDeps are the resources that the TM Forum façade shows.
func (a *App) tmfDeps() tmf.Deps {
	return tmf.Deps{
		Customers: a.Customers.Customers, Individuals: a.Parties.Individuals, Organizations: a.Parties.Organizations,
		PartyRoles: a.Parties.Roles, BillingAccounts: a.Accounts.Billing, PartyAccounts: a.Accounts.Party,
		FinancialAccounts: a.Accounts.Financial, SettlementAccounts: a.Accounts.Settlement,
		BillFormats: a.Accounts.BillFormats, BillingCycles: a.Accounts.BillingCycles,
		PresentationMedia: a.Accounts.PresentationMedia,
		Catalogs:          a.Catalog.Catalogs, Categories: a.Catalog.Categories, Offerings: a.Catalog.Offerings,
		OfferingPrices: a.Catalog.Prices, ProductSpecifications: a.Catalog.Specifications,
		ImportJobs: a.Catalog.ImportJobs, ExportJobs: a.Catalog.ExportJobs,
		Usages: a.Usage.Usages, UsageSpecifications: a.Usage.Specifications,
		Buckets: a.Balances.Openings(), Topups: a.Balances.Topups, Adjustments: a.Balances.Adjustments,
		Reservations: a.Balances.Reservations, Transfers: a.Balances.Transfers,
		AccumulatedBalances: a.Balances.Accumulated(), BalanceActionHistory: a.Balances.Actions(),
		Products: a.Subscriptions.Products(), Messages: a.Messages.Messages,
		Orders: a.Orders.Orders, Cancellations: a.Orders.Cancellations, Carts: a.Carts.Carts,
		Payments: a.Payments.Payments, Refunds: a.Payments.Refunds, PaymentMethods: a.Payments.Methods,
		Hubs: a.hub.Hubs, Secret: a.hub.Secret,
	}
}

// newHub makes the event subscriptions: what happens in the house is told to those who subscribed. The jobs of the
// catalogue may call what subscriptions may.
func (a *App) newHub(secret []byte) error {
	blocks, err := a.settings.CallbackBlocks()
	if err != nil {
		return err
	}
	guard := hub.PublicOnly{Except: blocks}
	a.hub = hub.New(a.Store, hub.Options{
		Key: derive(secret, "webhooks"), Parse: tmf630.ParseQuery, Href: tmf.Href(a.url), Guard: guard,
	})
	a.Catalog.Files, a.Catalog.ParseQuery = files.New(files.Options{Allow: guard.Allow}), tmf630.ParseQuery
	return nil
}

// table is all operations of all façades.
func (a *App) table() (*op.Table, error) {
	ops := op.System(op.SystemOptions{
		Title: "demarc", Version: a.o.Version,
		Description: "The customer side of a telecom operator.",
		Ready: []op.Check{
			{Name: "running", Ask: a.running},
			{Name: "store", Ask: a.Store.Ping},
		},
	})
	if a.idp != nil {
		ops = append(ops, identityOperations(a.idp)...)
	}
	ops = append(ops, tmf.Operations(a.tmfDeps())...)
	ops = append(ops, cm.Operations(cm.Deps{House: a.House.House})...)
	ops = append(ops, nchf.Operations(nchf.Deps{Usage: a.Usage})...)
	ops = append(ops, a.networkOperations()...)
	ops = append(ops, a.gatewayOperations()...)
	ops = append(ops, admin.Operations(admin.Deps{
		Store: a.Store, Keys: a.auth.Keys(), KeyTrail: a.keyring.Trail, Authenticate: a.auth.AuthenticateHeader,
		Location: a.location,
	})...)
	return op.NewTable(ops...)
}

// handler serves all operations of all façades.
func (a *App) handler(tracer trace.TracerProvider) (http.Handler, error) {
	table, err := a.table()
	if err != nil {
		return nil, err
	}
	o := op.Options{
		Store: a.Store, Gate: gate{a.auth}, Clock: a.o.Clock, Logger: a.o.Logger, Tracer: tracer, Metrics: a.metrics,
		MaxInFlight: int64(a.settings.MaxRequests), BaseURL: func() string { return a.url }, IssuerURL: a.issuer(), Secret: a.digestKey,
	}
	if w := a.accessWriter(); w != nil {
		log := op.NewAccessLog(w)
		o.AccessLog = log.Log
		a.keepLog(log)
	}
	return table.Handler(o)
}

func (a *App) running(context.Context) error {
	if !a.ready.Load() {
		return errStopping
	}
	return nil
}

// issuer is the identity provider that the documents name.
func (a *App) issuer() string {
	if a.idp != nil {
		return a.idp.Issuer()
	}
	if len(a.settings.Issuer) > 0 {
		return a.settings.Issuer[0]
	}
	return ""
}

func (a *App) accessWriter() io.Writer {
	if a.o.AccessLog != nil {
		return a.o.AccessLog
	}
	switch a.settings.AccessLog {
	case "stdout":
		return os.Stdout
	case "stderr":
		return os.Stderr
	}
	return nil
}

// keepLog writes the access log until everything else has stopped.
func (a *App) keepLog(log *op.AccessLog) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		_ = log.Run(ctx, a.o.Clock) // when the log cannot be written there is nowhere to say so
		close(done)
	}()
	a.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}
