package gateway_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/api/gateway"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/op/optest"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/payment/paymenttest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// as is a context of a service provider's, in the transaction of the request.
func as(ctx context.Context, spid int) context.Context {
	sc, err := scope.From(storetest.Context(spid))
	if err != nil {
		panic(err)
	}
	return scope.With(ctx, sc)
}

func TestAWebhookEndsAPayment(t *testing.T) {
	c := clock.NewVirtual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	s := storetest.Open(t, "sqlite", func(o *store.Options) { o.Clock = c })
	h, ctx := ordertest.New(s), storetest.Context(1)
	h.Payments.Parts.Gateway = &paymenttest.Gateway{Clock: c, Choose: func(id.ID, int) paymenttest.Fault { return paymenttest.Lost }}
	if _, _, err := h.Providers.Add(ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
		t.Fatal(err)
	}
	account := h.Account(ctx, t)
	token, err := h.Payments.CreateToken(ctx, account, "tok", payment.Card{})
	if err != nil {
		t.Fatal(err)
	}
	i, _, err := h.Payments.Charge(ctx, payment.Order{Account: account, Token: token.ID, Amount: money.OfMicros(5_000_000, "CHF")})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := h.Payments.Settle(ctx, i); err != nil || p.Status != payment.Pending {
		t.Fatalf("%+v %v", p, err)
	}
	var told gateway.Told
	var ours bool
	var refused error
	table, err := op.NewTable(gateway.Operations(gateway.Deps{
		Payments: h.Payments, As: as,
		Read: func(*op.Request) (gateway.Told, bool, error) { return told, ours, refused },
	})...)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := table.Handler(op.Options{Store: s, Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	send := func(status int) {
		optest.Send(t, handler, http.MethodPost, gateway.StripePath, `{"id":"evt_1"}`).Want(status)
	}
	stands := func(want payment.State) {
		t.Helper()
		if p, _, err := h.Payments.Payments.Get(ctx, i); err != nil || p.Status != want {
			t.Errorf("the payment is %s, want %s, %v", p.Status, want, err)
		}
	}
	refused = fault.New(fault.Unauthenticated, fault.CodeUnauthenticated, "the signature is not right")
	send(http.StatusUnauthorized)
	refused = nil
	send(http.StatusNoContent) // it says nothing of a payment of ours
	told, ours = gateway.Told{SPID: 2, Key: i, Answer: payment.Answer{Outcome: payment.Succeeded}}, true
	send(http.StatusNoContent) // another service provider has no such payment
	told.SPID, told.Key = 1, id.New(payment.Kind, 1, c.Now())
	send(http.StatusNoContent)
	stands(payment.Pending)
	told.Key = i
	for range 2 {
		send(http.StatusNoContent)
	}
	stands(payment.Done)
	r, _, err := h.Payments.Refund(ctx, payment.RefundOrder{Payment: i})
	if err != nil {
		t.Fatal(err)
	}
	told = gateway.Told{SPID: 1, Key: r, Refund: true, Answer: payment.Answer{Outcome: payment.Declined, Code: "expired"}}
	send(http.StatusNoContent)
	if v, _, err := h.Payments.Refunds.Get(ctx, r); err != nil || v.Status != payment.Denied {
		t.Errorf("the refund is %s, %v", v.Status, err)
	}
	h.Balanced(ctx, t)
}
