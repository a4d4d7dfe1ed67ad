package payment_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/payment/paymenttest"
)

func (d *desk) refund(o payment.RefundOrder) id.ID {
	d.t.Helper()
	i, _, err := d.Payments.Refund(d.ctx, o)
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

func (d *desk) given(i id.ID, want payment.State) payment.Refund {
	d.t.Helper()
	v, _, err := d.Payments.Refunds.Get(d.ctx, i)
	if err != nil || v.Status != want {
		d.t.Fatalf("the refund is %s, want %s: %+v %v", v.Status, want, v.Gateway, err)
	}
	return v
}

func TestARefundTakesBackWhatWasCredited(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		pay := d.settled(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("10"), Tax: d.chf("1"), Credit: true})
		d.holds(line, "10.00")
		first := d.refund(payment.RefundOrder{Key: "a", Payment: pay, Amount: d.chf("3.33"), Reason: "broken"})
		d.holds(line, "6.97") // 0.30 of it is tax
		if again := d.refund(payment.RefundOrder{Key: "a", Payment: pay, Amount: d.chf("3.33")}); again != first {
			t.Errorf("the same key is another refund")
		}
		_, _, err := d.Payments.Refund(d.ctx, payment.RefundOrder{Key: "a", Payment: pay, Amount: d.chf("3.34")})
		d.refused(err, fault.Conflict, payment.CodeKeyReused, "refundKey")
		d.Work(d.ctx, t)
		if v := d.given(first, payment.Done); v.Tax.String() != "0.30 CHF" || v.Charging.Code != payment.ResultSuccess || v.RefundDate == nil {
			t.Errorf("%+v", v)
		}
		_, _, err = d.Payments.Refund(d.ctx, payment.RefundOrder{Payment: pay, Amount: d.chf("7.68")})
		d.refused(err, fault.Conflict, payment.CodeTooMuch, "totalAmount")
		rest := d.refund(payment.RefundOrder{Payment: pay})
		d.Work(d.ctx, t)
		if v := d.given(rest, payment.Done); v.Total.String() != "7.67 CHF" || v.Tax.String() != "0.70 CHF" {
			t.Errorf("%s, %s", v.Total, v.Tax)
		}
		d.holds(line, "0.00")
		d.booked(payment.GatewayAccount, pay, "0")
		d.booked(balance.Taxes, pay, "0")
		_, _, err = d.Payments.Refund(d.ctx, payment.RefundOrder{Payment: pay})
		d.refused(err, fault.Conflict, payment.CodeTooMuch, "totalAmount")
		for range 2 {
			if err := d.Payments.TellRefund(d.ctx, rest, payment.Answer{Outcome: payment.Declined}); err != nil {
				t.Error(err)
			}
		}
		d.given(rest, payment.Done)
		if d.gateway.All() != 0 {
			t.Errorf("the gateway keeps %d", d.gateway.All())
		}
	})
}

func TestMoneyThatWasSpentIsNotGivenBack(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		pay := d.settled(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("10"), Credit: true})
		bucket, _, err := d.Balances.Money(d.ctx, line)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Balances.Charge(d.ctx, balance.Cause{Kind: "test", ID: "spent"}, bucket, d.chf("4").Micros(), 0); err != nil {
			t.Fatal(err)
		}
		_, _, err = d.Payments.Refund(d.ctx, payment.RefundOrder{Payment: pay})
		d.refused(err, fault.Conflict, balance.CodeInsufficient, "")
		d.holds(line, "6.00")
		if p, _, err := d.Payments.Payments.Get(d.ctx, pay); err != nil || p.Refunded != nil {
			t.Errorf("%+v %v", p.Refunded, err)
		}
		d.refund(payment.RefundOrder{Payment: pay, Amount: d.chf("6")})
		d.Work(d.ctx, t)
		d.holds(line, "0.00")
	})
}

func TestARefundThatTheGatewayRefusesIsUndone(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		token := d.token(account, "tok_success")
		credited := d.settled(payment.Order{Account: account, Token: token, Subscription: line, Amount: d.chf("10"), Tax: d.chf("1"), Credit: true})
		sold := d.settled(payment.Order{Account: account, Token: token, Amount: d.chf("5"), Tax: d.chf("0.5")})
		d.faults = []paymenttest.Fault{paymenttest.Declined, paymenttest.Declined}
		for _, pay := range []id.ID{credited, sold} {
			i := d.refund(payment.RefundOrder{Payment: pay})
			d.Work(d.ctx, t)
			if v := d.given(i, payment.Denied); v.Gateway.Code != payment.ResultDeclined || v.Billing.Code != payment.ResultFailed {
				t.Errorf("%+v", v)
			}
			if p, _, err := d.Payments.Payments.Get(d.ctx, pay); err != nil || p.Refunded.Sign() != 0 {
				t.Errorf("%+v %v", p.Refunded, err)
			}
		}
		d.holds(line, "10.00")
		d.booked(balance.Sales, sold, "5")
		d.booked(balance.Taxes, sold, "1.5")
		d.booked(payment.GatewayAccount, sold, "-16.5")
		// What the line cannot get back, because it is gone, waits for a person.
		d.faults = []paymenttest.Fault{paymenttest.Refused, paymenttest.None, paymenttest.Declined}
		i := d.refund(payment.RefundOrder{Payment: credited})
		d.Work(d.ctx, t)
		d.end(line)
		d.pass(time.Minute, 5*time.Second)
		if v := d.given(i, payment.Denied); v.Charging.Code != payment.ResultFailed {
			t.Errorf("%+v", v.Charging)
		}
		d.booked(payment.Unapplied, sold, "10")
	})
}

func TestWhatIsNoRefund(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, _ := d.customer()
		token := d.token(account, "tok_success")
		pay := d.settled(payment.Order{Account: account, Token: token, Amount: d.chf("10")})
		denied := d.settled(payment.Order{Account: account, Token: d.token(account, "tok_decline"), Amount: d.chf("10")})
		for name, c := range map[string]struct {
			o         payment.RefundOrder
			kind      fault.Kind
			code      fault.Code
			attribute string
		}{
			"of nothing":         {payment.RefundOrder{}, fault.Invalid, fault.CodeInvalid, "payment.id"},
			"of nobody's":        {payment.RefundOrder{Payment: id.New(payment.Kind, 1, d.clock.Now())}, fault.NotFound, fault.CodeNotFound, "payment.id"},
			"of what was not":    {payment.RefundOrder{Payment: denied}, fault.Conflict, payment.CodeState, "payment.id"},
			"nothing":            {payment.RefundOrder{Payment: pay, Amount: d.chf("0")}, fault.Invalid, fault.CodeInvalid, "totalAmount"},
			"more":               {payment.RefundOrder{Payment: pay, Amount: d.chf("10.01")}, fault.Conflict, payment.CodeTooMuch, "totalAmount"},
			"another currency":   {payment.RefundOrder{Payment: pay, Amount: money.OfMicros(1_000_000, "EUR")}, fault.Conflict, payment.CodeCurrency, "totalAmount"},
			"parts of a centime": {payment.RefundOrder{Payment: pay, Amount: d.chf("1.001")}, fault.Invalid, fault.CodeInvalid, "totalAmount"},
		} {
			_, _, err := d.Payments.Refund(d.ctx, c.o)
			if err == nil {
				t.Errorf("%s: given back", name)
				continue
			}
			d.refused(err, c.kind, c.code, c.attribute)
		}
		for text, want := range map[string]payment.State{
			`{"account":{"id":"1"},"paymentMethod":{},"totalAmount":{}}`:                                                                     payment.Failed,
			fmt.Sprintf(`{"account":{"id":"1"},"paymentMethod":{},"totalAmount":{"unit":"CHF","value":1},"payment":{"id":%q}}`, pay):         payment.Failed,
			fmt.Sprintf(`{"account":{"id":%q},"paymentMethod":{},"totalAmount":{"unit":"CHF","value":1},"payment":{"id":%q}}`, account, pay): payment.Pending,
		} {
			doc, err := d.Payments.Refunds.Create(d.ctx, jsontext.Value(text))
			if err != nil {
				t.Fatal(err)
			}
			var v payment.Refund
			if err := json.Unmarshal(doc.Body, &v); err != nil || v.Status != want {
				t.Errorf("%s is %s, want %s, %v", text, v.Status, want, err)
			}
		}
		d.Work(d.ctx, t)
		d.booked(payment.GatewayAccount, pay, "-9")
	})
}

func TestAnUnansweredRefundIsAskedForUntilItIsKnown(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		pay := d.settled(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("10"), Credit: true})
		d.faults = []paymenttest.Fault{paymenttest.Lost, paymenttest.Refused, paymenttest.Refused}
		i := d.refund(payment.RefundOrder{Payment: pay, Amount: d.chf("4")})
		d.Work(d.ctx, t)
		d.holds(line, "6.00")
		d.given(i, payment.Pending)
		d.pass(5*time.Minute, 10*time.Second)
		d.given(i, payment.Done)
		d.holds(line, "6.00")
		if n := d.gateway.All(); n != d.chf("6").Micros() {
			t.Errorf("the gateway has %d", n)
		}
	})
}
