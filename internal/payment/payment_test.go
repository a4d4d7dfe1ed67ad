package payment_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/msisdn"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/payment/paymenttest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

type desk struct {
	*ordertest.House
	t       *testing.T
	ctx     context.Context
	clock   *clock.Virtual
	gateway *paymenttest.Gateway
	faults  []paymenttest.Fault
	lines   int
}

// each runs a test on both engines, with an account that has a line with an empty money bucket.
func each(t *testing.T, run func(t *testing.T, d *desk)) {
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			d := &desk{t: t, ctx: storetest.Context(1), clock: clock.NewVirtual(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))}
			s := storetest.Open(t, engine, func(o *store.Options) { o.Clock = d.clock })
			d.House = ordertest.New(s)
			d.gateway = &paymenttest.Gateway{Clock: d.clock, Choose: d.choose}
			d.Payments.Parts.Gateway = d.gateway
			if _, _, err := d.Providers.Add(d.ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
				t.Fatal(err)
			}
			run(t, d)
			d.Balanced(d.ctx, t)
		})
	}
}

// choose takes the faults in their turn; when there are none left, nothing fails.
func (d *desk) choose(id.ID, int) paymenttest.Fault {
	if len(d.faults) == 0 {
		return paymenttest.None
	}
	f := d.faults[0]
	d.faults = d.faults[1:]
	return f
}

func francs(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.Parse(text, "CHF")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (d *desk) chf(text string) money.Amount { return francs(d.t, text) }

func (d *desk) line(a id.ID) id.ID {
	d.t.Helper()
	d.lines++
	v := subscription.Line{AccountID: a, State: subscription.Active, MSISDN: msisdn.Number(fmt.Sprintf("4179%07d", d.lines)), ICCID: fmt.Sprintf("8941%015d", d.lines)}
	i, _, err := d.Subscriptions.Lines.Add(d.ctx, &v)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.Balances.Open(d.ctx, balance.Holder{Subscription: i, Account: a}, balance.Grant{Name: "Money", UsageType: "monetary", Unit: "CHF"}, balance.Cause{Kind: "test", ID: "1"}); err != nil {
		d.t.Fatal(err)
	}
	return i
}

func (d *desk) customer() (account, line id.ID) {
	d.t.Helper()
	account = d.Account(d.ctx, d.t)
	return account, d.line(account)
}

func (d *desk) token(account id.ID, value string) id.ID {
	d.t.Helper()
	t, err := d.Payments.CreateToken(d.ctx, account, payment.Secret(value), payment.Card{Masked: "1111", Expiry: "2200/01"})
	if err != nil {
		d.t.Fatal(err)
	}
	return t.ID
}

func (d *desk) charge(o payment.Order) id.ID {
	d.t.Helper()
	i, _, err := d.Payments.Charge(d.ctx, o)
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

// pass lets time pass a step at a time and works after each.
func (d *desk) pass(all, step time.Duration) {
	d.t.Helper()
	for end := d.clock.Now().Add(all); d.clock.Now().Before(end); {
		d.clock.Advance(step)
		d.Work(d.ctx, d.t)
	}
}

func (d *desk) stands(i id.ID, want payment.State, gateway string) payment.Payment {
	d.t.Helper()
	p, _, err := d.Payments.Payments.Get(d.ctx, i)
	if err != nil || p.Status != want || p.Gateway.Code != gateway {
		d.t.Fatalf("the payment is %s, %+v, want %s, %s: %v", p.Status, p.Gateway, want, gateway, err)
	}
	return p
}

func (d *desk) holds(line id.ID, want string) {
	d.t.Helper()
	_, b, err := d.Balances.Money(d.ctx, line)
	if err != nil || string(b.Remaining.Amount) != want {
		d.t.Errorf("the line holds %s, want %s, %v", b.Remaining.Amount, want, err)
	}
}

// booked is what a system account holds.
func (d *desk) booked(account string, of id.ID, want string) {
	d.t.Helper()
	home, _ := of.Home()
	n, err := d.Store.Balance(d.ctx, home, account, "CHF")
	if err != nil || n != d.chf(want).Micros() {
		d.t.Errorf("%s holds %s, want %s, %v", account, money.OfMicros(n, "CHF"), want, err)
	}
}

func (d *desk) refused(err error, kind fault.Kind, code fault.Code, attribute string) {
	d.t.Helper()
	f := fault.From(err)
	if err == nil || f.Kind != kind || f.Code != code || f.Attribute != attribute {
		d.t.Errorf("got %v, want %s %s at %q", err, kind, code, attribute)
	}
}

func TestAChargeCreditsTheLineOnce(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		var states []string
		d.Store.React(func(_ context.Context, e event.Event) error {
			states = append(states, e.Type)
			return nil
		}, event.TypeOf(payment.Kind.Name, event.State))
		account, line := d.customer()
		token := d.token(account, "tok_success_1")
		o := payment.Order{Key: "k", Account: account, Token: token, Subscription: line, Amount: d.chf("20"), Tax: d.chf("1.6"), Credit: true, Reason: "Top-up", Origin: payment.Origin{Kind: "test", ID: "t1"}}
		i := d.charge(o)
		if p := d.stands(i, payment.Pending, payment.ResultPending); p.Total.String() != "21.60 CHF" || p.Origin.ID != "t1" {
			t.Errorf("%+v", p)
		}
		d.holds(line, "0.00")
		if again := d.charge(o); again != i {
			t.Errorf("the same key is another payment: %s, %s", i, again)
		}
		d.Work(d.ctx, t)
		p := d.stands(i, payment.Done, payment.ResultSuccess)
		if !p.Taken() || p.Charging.Code != payment.ResultSuccess || p.Reference != "ref_"+string(i) || p.AuthorizationCode != "A1" || p.PaymentDate == nil || p.Topup == "" {
			t.Errorf("%+v", p)
		}
		d.holds(line, "20.00")
		d.booked(payment.GatewayAccount, i, "-21.60")
		d.booked(balance.Taxes, i, "1.60")
		d.booked(balance.Topups, i, "0")
		for _, told := range []payment.Outcome{payment.Succeeded, payment.Declined, payment.Succeeded, payment.Accepted} {
			if err := d.Payments.Tell(d.ctx, i, payment.Answer{Outcome: told}); err != nil {
				t.Error(err)
			}
		}
		if _, err := d.Payments.Settle(d.ctx, i); err != nil {
			t.Error(err)
		}
		d.pass(time.Hour, 10*time.Minute)
		d.stands(i, payment.Done, payment.ResultSuccess)
		d.holds(line, "20.00")
		if again := d.charge(o); again != i || d.gateway.Calls(i) != 1 {
			t.Errorf("%d calls, %s", d.gateway.Calls(i), again)
		}
		if want := []string{"PaymentStateChangeEvent"}; fmt.Sprint(states) != fmt.Sprint(want) {
			t.Errorf("told %v", states)
		}
	})
}

func TestAChargeThatIsNotCreditedIsSold(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		i := d.charge(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("10"), Tax: d.chf("0.81")})
		if p, err := d.Payments.Settle(d.ctx, i); err != nil || p.Status != payment.Done || p.Charging.Code != payment.ResultNotRequested {
			t.Errorf("%+v %v", p, err)
		}
		d.holds(line, "0.00")
		d.booked(balance.Sales, i, "10")
		d.booked(balance.Taxes, i, "0.81")
		d.booked(payment.GatewayAccount, i, "-10.81")
	})
}

func TestADeclinedChargeTakesAndGivesNothing(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		i := d.charge(payment.Order{Account: account, Token: d.token(account, "tok_decline"), Subscription: line, Amount: d.chf("20"), Credit: true})
		d.Work(d.ctx, t)
		p := d.stands(i, payment.Denied, payment.ResultDeclined)
		if p.Gateway.Detail != "insufficient_funds" || p.Charging.Code != payment.ResultFailed || p.Billing.Code != payment.ResultFailed || p.Taken() {
			t.Errorf("%+v %+v %+v", p, p.Gateway, p.Charging)
		}
		d.holds(line, "0.00")
		d.booked(payment.GatewayAccount, i, "0")
	})
}

func TestUnansweredChargesAreAskedForUntilTheyAreKnown(t *testing.T) {
	const silent, lost, delayed = paymenttest.Refused, paymenttest.Lost, paymenttest.Delayed
	for name, c := range map[string]struct {
		faults []paymenttest.Fault
		unsure string
	}{
		"nobody listens":         {[]paymenttest.Fault{silent, silent, silent}, payment.ResultUnknown},
		"the answer is lost":     {[]paymenttest.Fault{lost, silent, silent}, payment.ResultUnknown},
		"it comes after all":     {[]paymenttest.Fault{delayed, silent, delayed}, payment.ResultUnknown},
		"it takes a while":       {[]paymenttest.Fault{paymenttest.Accepted}, payment.ResultPending},
		"nobody for a long time": {append(make([]paymenttest.Fault, 0), silent, silent, silent, silent, silent, silent, silent), payment.ResultUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, d *desk) {
				account, line := d.customer()
				d.faults = c.faults
				i := d.charge(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("20"), Credit: true})
				d.Work(d.ctx, d.t)
				d.stands(i, payment.Pending, c.unsure)
				d.holds(line, "0.00")
				d.pass(20*time.Minute, 5*time.Second)
				d.stands(i, payment.Done, payment.ResultSuccess)
				d.holds(line, "20.00")
				d.booked(payment.GatewayAccount, i, "-20")
				if n := d.gateway.All(); n != d.chf("20").Micros() {
					d.t.Errorf("the gateway took %d", n)
				}
			})
		})
	}
}

func TestAChargeThatNeverArrivesIsGivenUp(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		down := true
		d.gateway.Choose = func(id.ID, int) paymenttest.Fault {
			if down {
				return paymenttest.Refused
			}
			return paymenttest.None
		}
		i := d.charge(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("20"), Credit: true})
		d.pass(3*time.Hour, time.Minute)
		d.stands(i, payment.Pending, payment.ResultUnknown)
		down = false
		d.pass(time.Hour, time.Minute)
		p := d.stands(i, payment.Failed, payment.ResultFailed)
		if d.gateway.All() != 0 || p.Gateway.Detail != "neverArrived" {
			t.Errorf("%+v", p.Gateway)
		}
		// A gateway whose word was wrong takes the money after all: it is given back.
		if _, err := d.gateway.Charge(d.ctx, payment.Instruction{Key: i, Amount: p.Total.Amount}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := d.Payments.Tell(d.ctx, i, payment.Answer{Outcome: payment.Succeeded, Reference: "ref_" + string(i)}); err != nil {
				t.Fatal(err)
			}
		}
		d.booked(payment.Unapplied, i, "0") // it is on its way back
		d.Work(d.ctx, t)
		d.stands(i, payment.Failed, payment.ResultSuccess)
		d.holds(line, "0.00")
		d.booked(payment.GatewayAccount, i, "0")
		if d.gateway.All() != 0 {
			t.Errorf("the gateway keeps %d", d.gateway.All())
		}
	})
}

func TestWhatCannotBeCreditedIsGivenBack(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		i := d.charge(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("20"), Tax: d.chf("1"), Credit: true})
		d.end(line)
		d.Work(d.ctx, t)
		p := d.stands(i, payment.Done, payment.ResultSuccess)
		if p.Charging.Code != payment.ResultFailed || p.Booked != payment.Unapplied || p.Taken() || p.Refunded.String() != "21.00 CHF" {
			t.Errorf("%+v %+v", p, p.Charging)
		}
		if d.gateway.All() != 0 {
			t.Errorf("the gateway keeps %d", d.gateway.All())
		}
		d.booked(payment.GatewayAccount, i, "0")
		d.booked(payment.Unapplied, i, "0")
	})
}

// end takes the money bucket of a line away.
func (d *desk) end(line id.ID) {
	d.t.Helper()
	err := d.Store.Write(d.ctx, func(ctx context.Context) error {
		w, err := d.Balances.Wallet(ctx, line)
		if err != nil {
			return err
		}
		if err := w.Forfeit(balance.Cause{Kind: "test", ID: "end"}, w.Held...); err != nil {
			return err
		}
		return d.Balances.Save(ctx, w)
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestAnAskerThatWasKilledIsFollowedByAnother(t *testing.T) {
	for _, f := range []paymenttest.Fault{paymenttest.Killed, paymenttest.KilledBefore} {
		t.Run(string(f), func(t *testing.T) {
			each(t, func(t *testing.T, d *desk) {
				account, line := d.customer()
				ctx, cancel := context.WithCancel(d.ctx)
				d.gateway.Kill = func(context.Context) { cancel() }
				d.faults = []paymenttest.Fault{f}
				i := d.charge(payment.Order{Account: account, Token: d.token(account, "tok_success"), Subscription: line, Amount: d.chf("20"), Credit: true, Wait: true})
				if _, err := d.Payments.Settle(ctx, i); !errors.Is(err, context.Canceled) {
					d.t.Fatal(err)
				}
				// Nobody else asks while it might still be asking.
				if p, err := d.Payments.Settle(d.ctx, i); err != nil || p.Status != payment.Pending || d.gateway.Calls(i) != 1 {
					d.t.Fatalf("%+v %v, %d calls", p, err, d.gateway.Calls(i))
				}
				d.pass(3*time.Minute, 15*time.Second)
				d.stands(i, payment.Done, payment.ResultSuccess)
				d.holds(line, "20.00")
				if d.gateway.All() != d.chf("20").Micros() {
					d.t.Errorf("the gateway took %d", d.gateway.All())
				}
			})
		})
	}
}

func TestWhatIsNoCharge(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		account, line := d.customer()
		other, theirs := d.customer()
		token, foreign := d.token(account, "tok_success"), d.token(other, "tok_success")
		good := payment.Order{Key: "k", Account: account, Token: token, Subscription: line, Amount: d.chf("20")}
		d.charge(good)
		for name, c := range map[string]struct {
			change    func(o *payment.Order)
			kind      fault.Kind
			code      fault.Code
			attribute string
		}{
			"nothing":                {func(o *payment.Order) { o.Amount = d.chf("0") }, fault.Invalid, fault.CodeInvalid, "amount"},
			"less than nothing":      {func(o *payment.Order) { o.Amount = d.chf("-1") }, fault.Invalid, fault.CodeInvalid, "amount"},
			"no currency":            {func(o *payment.Order) { o.Amount = money.Amount{} }, fault.Invalid, fault.CodeInvalid, "amount"},
			"parts of a centime":     {func(o *payment.Order) { o.Amount = d.chf("1.001") }, fault.Invalid, fault.CodeInvalid, "amount"},
			"negative tax":           {func(o *payment.Order) { o.Tax = d.chf("-1") }, fault.Invalid, fault.CodeInvalid, "taxAmount"},
			"tax of elsewhere":       {func(o *payment.Order) { o.Tax = money.OfMicros(1_000_000, "EUR") }, fault.Invalid, fault.CodeInvalid, "taxAmount"},
			"another currency":       {func(o *payment.Order) { o.Amount = money.OfMicros(1_000_000, "EUR") }, fault.Conflict, payment.CodeCurrency, "amount"},
			"nobody's":               {func(o *payment.Order) { o.Account = id.New(account0, 1, d.clock.Now()) }, fault.NotFound, fault.CodeNotFound, "account.id"},
			"no account":             {func(o *payment.Order) { o.Account = "" }, fault.Invalid, fault.CodeInvalid, "account.id"},
			"another's line":         {func(o *payment.Order) { o.Subscription = theirs }, fault.Conflict, payment.CodeOtherAccount, "subscriptionId"},
			"another's token":        {func(o *payment.Order) { o.Token = foreign }, fault.Conflict, payment.CodeOtherAccount, "tokenID"},
			"no such token":          {func(o *payment.Order) { o.Token = id.New(payment.TokenKind, 1, d.clock.Now()) }, fault.NotFound, payment.CodeNoToken, "tokenID"},
			"nothing stored":         {func(o *payment.Order) { o.Token = "" }, fault.Conflict, payment.CodeNoMethod, "paymentMethod"},
			"a credit to nothing":    {func(o *payment.Order) { o.Subscription, o.Credit = "", true }, fault.Invalid, fault.CodeInvalid, "subscriptionId"},
			"a long reason":          {func(o *payment.Order) { o.Reason = strings.Repeat("x", 501) }, fault.Invalid, fault.CodeInvalid, "description"},
			"the key with another":   {func(o *payment.Order) { o.Key, o.Amount = "k", d.chf("21") }, fault.Conflict, payment.CodeKeyReused, "paymentKey"},
			"the key for a credit":   {func(o *payment.Order) { o.Key, o.Credit = "k", true }, fault.Conflict, payment.CodeKeyReused, "paymentKey"},
			"the key, other account": {func(o *payment.Order) { o.Key, o.Account = "k", other }, fault.Conflict, payment.CodeKeyReused, "paymentKey"},
		} {
			o := good
			o.Key = ""
			c.change(&o)
			_, _, err := d.Payments.Charge(d.ctx, o)
			if err == nil {
				t.Errorf("%s: charged", name)
				continue
			}
			d.refused(err, c.kind, c.code, c.attribute)
		}
		d.Payments.Parts.Gateway = nil
		_, _, err := d.Payments.Charge(d.ctx, payment.Order{Account: account, Token: token, Amount: d.chf("1")})
		d.refused(err, fault.Unavailable, payment.CodeNoGateway, "")
		d.Payments.Parts.Gateway = d.gateway
		if _, err := d.Accounts.Billing.Change(d.ctx, account, closed); err != nil {
			d.t.Fatal(err)
		}
		_, _, err = d.Payments.Charge(d.ctx, payment.Order{Account: account, Token: token, Amount: d.chf("1")})
		d.refused(err, fault.Conflict, payment.CodeState, "account.id")
	})
}

var account0 = account.BillingKind

func closed(v *account.Account) error { v.State = account.Inactive; return nil }

func TestAPaymentOfTMF676IsKeptWithItsRefusal(t *testing.T) {
	each(t, func(t *testing.T, d *desk) {
		create := func(text string) (id.ID, payment.Payment) {
			d.t.Helper()
			doc, err := d.Payments.Payments.Create(d.ctx, jsontext.Value(text))
			if err != nil {
				d.t.Fatal(err)
			}
			var p payment.Payment
			if err := json.Unmarshal(doc.Body, &p); err != nil {
				d.t.Fatal(err)
			}
			return doc.ID, p
		}
		_, p := create(`{"account":{"id":"15463151"},"paymentMethod":{},"totalAmount":{},"status":"done","gatewayReference":"mine","creditToBalance":true,"bookedTo":"sys:sales"}`)
		if p.Status != payment.Failed || p.StatusReason == "" || p.Reference != "" || p.Booked != "" || p.Total == nil {
			d.t.Errorf("%+v", p)
		}
		account, line := d.customer()
		_, _, err := d.Payments.AddMethod(d.ctx, payment.NewMethod{Account: account, Value: "tok_success", Card: payment.Card{Masked: "1111", Expiry: "2200/01"}})
		if err != nil {
			d.t.Fatal(err)
		}
		good := fmt.Sprintf(`{"account":{"id":%q},"paymentMethod":{},"totalAmount":{"unit":"CHF","value":10.81},"taxAmount":{"unit":"CHF","value":0.81},"subscriptionId":%q,"creditToBalance":true}`, account, line)
		i, p := create(good)
		if p.Status != payment.Pending || p.Amount.String() != "10.00 CHF" || !id.ID(p.Method.ID).Is(payment.MethodKind) {
			d.t.Errorf("%+v", p)
		}
		d.Work(d.ctx, d.t)
		d.stands(i, payment.Done, payment.ResultSuccess)
		d.holds(line, "10.00")
		for _, bad := range []string{
			strings.Replace(good, "0.81", "1.81", 1), strings.Replace(good, `"totalAmount"`, `"amount":{"unit":"CHF","value":9},"totalAmount"`, 1),
			strings.Replace(good, `"paymentMethod":{}`, `"paymentMethod":{"id":"pmt_other"}`, 1), strings.ReplaceAll(good, "CHF", "EUR"),
		} {
			if _, p := create(bad); p.Status == payment.Done || bad != good && p.Status == payment.Pending && !strings.Contains(bad, "1.81") {
				d.t.Errorf("%s is %s", bad, p.Status)
			}
		}
		if _, err := d.Payments.Payments.Create(d.ctx, jsontext.Value(strings.Replace(good, "10.81", "-10.81", 1))); fault.KindOf(err) != fault.Invalid {
			d.t.Errorf("less than nothing: %v", err)
		}
		if err := d.Payments.Payments.Delete(d.ctx, i, 0); fault.KindOf(err) != fault.Conflict {
			d.t.Errorf("deleted: %v", err)
		}
	})
}
