// Package gateway is the façade that payment gateways answer to: signed instead of authorised, in the protocol of each.
package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/payment"
)

// StripePath is where Stripe tells of payments and refunds.
const StripePath = "/gateway/stripe"

// Told is what a gateway says of a payment or, with Refund, a refund.
type Told struct {
	SPID   int
	Key    id.ID
	Refund bool
	Answer payment.Answer
}

// Deps are what the façade needs.
type Deps struct {
	Payments *payment.Service
	// Read verifies a webhook of Stripe and reads it; ok is false when it says nothing of a payment of demarc's.
	Read func(r *op.Request) (t Told, ok bool, err error)
	// As is a context in which the gateway acts at a service provider.
	As func(ctx context.Context, spid int) context.Context
}

// Operations are all operations of the façade.
func Operations(d Deps) []op.Operation {
	facade := &op.Facade{
		Name: "gateway", Title: "Payment gateway webhooks", Version: "1", Prefixes: []string{"/gateway/"},
		Description: "What payment gateways say of charges and refunds.",
	}
	return []op.Operation{{
		ID: "gateway.stripe", Facade: facade, Method: http.MethodPost, Path: StripePath, Public: true, Writes: true,
		Tag: "Payment gateway", Summary: "Take an event of Stripe",
		Description: "A webhook of Stripe: `payment_intent.succeeded`, `.payment_failed`, `.canceled`, `refund.updated`, `refund.failed`. It is signed with the " +
			"endpoint's secret and may be five minutes old. The same event again changes nothing, and neither does one that comes late or is about " +
			"something else.",
		Status: http.StatusNoContent, BodyLimit: 256 << 10, Errors: []fault.Kind{fault.Unauthenticated},
		Request: &op.Body{
			Schema:  &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true},
			Example: map[string]any{"id": "evt_1", "type": "payment_intent.succeeded", "data": map[string]any{"object": map[string]any{"id": "pi_1", "status": "succeeded"}}},
		},
		Params: []op.Param{{Name: "Stripe-Signature", In: "header", Description: "`t=` seconds since 1970, `v1=` signatures.", Schema: &huma.Schema{Type: huma.TypeString}}},
		Prepare: func(r *op.Request) (op.Call, error) {
			t, ok, err := d.Read(r)
			if err != nil {
				return nil, err
			}
			return func(ctx context.Context) (*op.Response, error) {
				if !ok {
					return nil, nil //nolint:nilnil // there is nothing to answer
				}
				return nil, d.take(ctx, t)
			}, nil
		},
	}}
}

// take hands on what was told. What there is not is another installation's: Stripe need not send it again.
func (d Deps) take(ctx context.Context, t Told) error {
	tell := d.Payments.Tell
	if t.Refund {
		tell = d.Payments.TellRefund
	}
	err := tell(d.As(ctx, t.SPID), t.Key, t.Answer)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	return err
}
