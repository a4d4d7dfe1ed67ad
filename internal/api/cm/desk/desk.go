// Package desk is what every part of the Customer Management API stands on: where it is mounted, how a request names an account
// or a subscription, how lists are paged.
package desk

import (
	"context"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/house"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Base is where the API stands, Alias where deployments of it mount it too, LinePath where its subscriptions are.
const (
	Base     = "/api"
	Alias    = "/api/v1"
	LinePath = Base + "/subscription"
)

// Deps are the domains that the façade shows.
type Deps struct {
	*house.House
	// Paging bounds lists; its zero value means tmf630's defaults.
	Paging tmf630.Paging
}

// LineKey names one subscription in a query.
type LineKey struct {
	SubscriptionID string `query:"subscriptionId" doc:"Id of the subscription; its mobile number is understood too."`
	MobileNumber   string `query:"mobileNumber" doc:"Mobile number in any spelling, instead of the id."`
}

// Resolve finds the line that id or number name; when both do, it is the same one. Faults: Invalid; NotFound.
func (d Deps) Resolve(ctx context.Context, subscriptionID, mobileNumber string) (id.ID, subscription.Line, error) {
	name := First(subscriptionID, mobileNumber)
	if name == "" {
		return "", subscription.Line{}, fault.Invalidf("subscriptionId", "say which subscription: subscriptionId or mobileNumber")
	}
	i, v, err := d.Line(ctx, name)
	if err != nil || subscriptionID == "" || mobileNumber == "" {
		return i, v, err
	}
	other, _, err := d.Line(ctx, mobileNumber)
	if err == nil && other != i {
		err = fault.Invalidf("mobileNumber", "subscriptionId names another subscription")
	}
	return i, v, err
}

// Line finds the line of an id or a mobile number; anything else is the name of none (NotFound).
func (d Deps) Line(ctx context.Context, name string) (id.ID, subscription.Line, error) {
	i, v, err := d.Subscriptions.Resolve(ctx, name)
	if f := fault.From(err); err != nil && f.Kind == fault.Invalid {
		return "", v, fault.NotFoundf("there is no subscription %q", Limited(name)).Because(err)
	}
	return i, v, err
}

// AccountID reads the id or the number of an account.
func (d Deps) AccountID(ctx context.Context, text string) (id.ID, error) {
	if id.ID(text).Is(account.BillingKind) {
		return id.ID(text), nil
	}
	return d.Accounts.ByNumber(ctx, text)
}

// May is the permission that an operation on an entity needs.
func May(entity string, v auth.Verb) []auth.Permission {
	return []auth.Permission{{Entity: entity, Verb: v}}
}

// First gives the first text that is not empty.
func First(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// Limited is a text as an answer may repeat it.
func Limited(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
