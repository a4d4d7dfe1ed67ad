package adjustment_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/adjustment"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/clock"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
)

// desk is a service provider with lines, and people who adjust them.
type desk struct {
	*testing.T
	*ordertest.House
	clock         *clock.Virtual
	account, line id.ID
	admin         context.Context
}

var start = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// open is a desk with a line that has 5.10 CHF and 5 GB.
func open(t *testing.T, engine string) *desk {
	t.Helper()
	c := clock.NewVirtual(start)
	d := &desk{T: t, clock: c, House: ordertest.New(storetest.Open(t, engine, func(o *store.Options) { o.Clock = c })), admin: storetest.Context(1)}
	d.Furnish(d.admin, t, 2)
	d.account = d.Account(d.admin, t)
	i, _, err := d.Orders.Place(d.admin, d.Order(d.admin, t, d.account, "plus"))
	if err != nil {
		t.Fatal(err)
	}
	d.Work(d.admin, t)
	o, _, err := d.Orders.Orders.Get(d.admin, i)
	if err != nil {
		t.Fatal(err)
	}
	d.line = id.ID(o.Items[0].Product.ID)
	return d
}

// each opens a desk on every engine, and holds that its ledger is in order in the end.
func each(t *testing.T, fn func(d *desk)) {
	t.Helper()
	for _, engine := range storetest.Engines {
		t.Run(engine, func(t *testing.T) {
			d := open(t, engine)
			fn(d)
			d.Balanced(d.admin, t)
		})
	}
}

// Those who work at the desk.
var (
	ann  = scope.Actor{Subject: "u-ann", Name: "ann", Client: "portal"}
	bob  = scope.Actor{Subject: "u-bob", Name: "bob", Client: "portal"}
	cleo = scope.Actor{Subject: "u-cleo", Name: "cleo", Client: "portal"}
)

// as is somebody with roles, who may edit and approve as far as they say.
func as(a scope.Actor, roles ...string) context.Context {
	c := scope.Claims{Roles: roles}
	for _, r := range roles {
		c.EditAdjustments = c.EditAdjustments || r == "edit"
		c.ApproveAdjustments = c.ApproveAdjustments || r == "approve"
	}
	return scope.With(context.Background(), scope.Grant(1, a, c))
}

func quantity(text string) sid.Quantity {
	n, unit, _ := strings.Cut(text, " ")
	return sid.Quantity{Amount: jsontext.Value(n), Units: unit}
}

// order is an adjustment by an amount: money, or an allowance of data.
func (d *desk) order(amount string) adjustment.Order {
	o := adjustment.Order{Account: d.account, Line: d.line, Asked: adjustment.Asked{Amount: quantity(amount), Reason: "BILLING_ERROR"}}
	if o.Bundle = !strings.HasSuffix(amount, "CHF"); o.Bundle {
		o.UsageType = balance.Data
	}
	return o
}

// asks has somebody ask for an adjustment that must be taken.
func (d *desk) asks(ctx context.Context, amount string) (id.ID, adjustment.Adjustment) {
	d.Helper()
	doc, v, _, err := d.Adjustments.Request(ctx, d.order(amount))
	if err != nil {
		d.Fatal(err)
	}
	return doc.ID, v
}

func (d *desk) see(i id.ID) (adjustment.Adjustment, int64) {
	d.Helper()
	v, doc, err := d.Adjustments.Adjustments.Get(d.admin, i)
	if err != nil {
		d.Fatal(err)
	}
	return v, doc.Version
}

// holds is what the line has: money and data.
func (d *desk) holds() string {
	d.Helper()
	all, err := d.Balances.Ask(d.admin, d.line, balance.Question{})
	if err != nil {
		d.Fatal(err)
	}
	text := ""
	for _, s := range all {
		switch {
		case s.Main:
			text = balance.Decimal(s.Bucket.Unit, s.Held) + text
		case s.Bucket.UsageType == balance.Data:
			text += " " + balance.Decimal(s.Bucket.Unit, s.Held)
		}
	}
	return text
}

// policy sets the service provider's.
func (d *desk) policy(doc string) {
	d.Helper()
	i, err := d.Providers.Find(d.admin)
	if err != nil {
		d.Fatal(err)
	}
	_, err = d.Providers.Change(d.admin, i, func(v *provider.ServiceProvider) error {
		v.Policy = &provider.Policy{}
		return json.Unmarshal([]byte(doc), v.Policy)
	})
	if err != nil {
		d.Fatal(err)
	}
}

func states(v adjustment.Adjustment) string {
	var all []string
	for _, s := range v.Trail {
		all = append(all, string(s.Status))
	}
	return strings.Join(all, " ")
}

// refused holds that an error is a refusal with a code.
func (d *desk) refused(what string, err error, code fault.Code) {
	d.Helper()
	if f := fault.From(err); f == nil || f.Code != code || f.Kind == fault.Internal || !utf8.ValidString(f.Message) {
		d.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestARefusalCutsNoCharacter(t *testing.T) {
	d := open(t, "sqlite")
	o := d.order("1 CHF")
	o.Reference = strings.Repeat("日", 23)
	if _, _, _, err := d.Adjustments.Request(as(ann), o); err != nil {
		t.Fatal(err)
	}
	o.Note = "something else"
	_, _, _, err := d.Adjustments.Request(as(ann), o)
	d.refused("a reference of many bytes", err, adjustment.CodeReference)
}

func TestWithinTheLimitItIsDoneAtOnce(t *testing.T) {
	each(t, func(d *desk) {
		i, v := d.asks(as(ann), "2.50 CHF")
		if v.Status != adjustment.Completed || states(v) != "CREATED COMPLETED" || v.Completion == nil || v.DecidedBy != nil || d.holds() != "7.60 5000000000" {
			d.Errorf("%+v, %s", v, d.holds())
		}
		_, v = d.asks(as(ann), "-0.5 GB")
		if v.Status != adjustment.Completed || v.Count != -500_000_000 || d.holds() != "7.60 4500000000" {
			d.Errorf("%+v, %s", v, d.holds())
		}
		all, err := d.Balances.Ask(d.admin, d.line, balance.Question{Entries: 1})
		if err != nil {
			d.Fatal(err)
		}
		found := false
		for _, s := range all {
			for _, e := range s.Entries {
				if found = found || e.Cause.ID == string(i); e.Cause.ID == string(i) && (e.Cause.Kind != "adjustment" ||
					e.Cause.Text != "Adjustment by 2.50 CHF: BILLING_ERROR, requested by ann (u-ann), within the limit") {
					d.Errorf("%+v", e.Cause)
				}
			}
		}
		if !found {
			d.Error("no entry names it")
		}
	})
}

func TestAboveTheLimitSomebodyElseApproves(t *testing.T) {
	each(t, func(d *desk) {
		i, v := d.asks(as(ann), "40 CHF")
		if v.Status != adjustment.Pending || states(v) != "CREATED PENDING_APPROVAL" || v.Expires == nil || d.holds() != "5.10 5000000000" {
			d.Fatalf("%+v, %s", v, d.holds())
		}
		_, v, err := d.Adjustments.Approve(as(bob, "approve"), i, 0, "as agreed")
		if err != nil || v.Status != adjustment.Completed || states(v) != "CREATED PENDING_APPROVAL APPROVED COMPLETED" || d.holds() != "45.10 5000000000" {
			d.Fatalf("%v %+v, %s", err, v, d.holds())
		}
		if v.RequestedBy != ann || *v.DecidedBy != bob || v.DecisionNote != "as agreed" || v.Expires != nil {
			d.Errorf("%+v", v)
		}
		all, err := d.Balances.Ask(d.admin, d.line, balance.Question{Entries: 1})
		if err != nil {
			d.Fatal(err)
		}
		for _, s := range all {
			if want := "Adjustment by 40.00 CHF: BILLING_ERROR, requested by ann (u-ann), approved by bob (u-bob)"; s.Main && (s.Entries[0].Cause.Text != want || s.Entries[0].Cause.ID != string(i)) {
				d.Errorf("%+v", s.Entries[0].Cause)
			}
		}
		records, err := d.Store.Audit(d.admin, i)
		if err != nil || len(records) != 2 || records[0].Subject+records[1].Subject != "u-annu-bob" && records[0].Subject+records[1].Subject != "u-bobu-ann" {
			d.Errorf("audit: %+v %v", records, err)
		}
		if again, _, err := d.Adjustments.Adjustments.Get(storetest.Context(2), i); fault.KindOf(err) != fault.NotFound {
			d.Errorf("another service provider sees %+v, %v", again, err)
		}
	})
}

func TestNobodyIsTakenBelowTheFloor(t *testing.T) {
	each(t, func(d *desk) {
		_, _, _, err := d.Adjustments.Request(as(ann), d.order("-6 CHF"))
		d.refused("at once", err, balance.CodeInsufficient)
		page, err := d.Adjustments.Adjustments.Docs(d.admin, store.Query{})
		if err != nil || page.Total != 0 {
			d.Errorf("%d were kept, %v", page.Total, err)
		}
		i, v := d.asks(as(ann), "-45 CHF")
		if v.Status != adjustment.Pending {
			d.Fatalf("%+v", v)
		}
		_, v, err = d.Adjustments.Approve(as(bob, "approve"), i, 0, "")
		if err != nil || v.Status != adjustment.Failed || v.Failure == nil || v.Failure.Code != balance.CodeInsufficient || v.Failure.Reason == "" ||
			states(v) != "CREATED PENDING_APPROVAL APPROVED FAILED" || d.holds() != "5.10 5000000000" {
			d.Errorf("%v %+v %+v, %s", err, v, v.Failure, d.holds())
		}
		_, _, err = d.Adjustments.Approve(as(cleo, "approve"), i, 0, "")
		d.refused("what failed is approved again", err, adjustment.CodeDecided)
	})
}

// many small ones are a large one.
func TestALineHasALimitForTheDay(t *testing.T) {
	each(t, func(d *desk) {
		for n, c := range []struct {
			who    scope.Actor
			amount string
			after  time.Duration
			want   adjustment.State
		}{
			{ann, "4 CHF", 0, adjustment.Completed}, {ann, "-4 CHF", 0, adjustment.Completed}, {bob, "2.01 CHF", 0, adjustment.Pending},
			{bob, "2 CHF", 0, adjustment.Completed}, {cleo, "0.01 CHF", 0, adjustment.Pending}, {cleo, "1 GB", 0, adjustment.Completed},
			{cleo, "1 MB", 0, adjustment.Pending}, {ann, "10 CHF", 24 * time.Hour, adjustment.Completed}, {ann, "0.01 CHF", 0, adjustment.Pending},
		} {
			d.clock.Advance(c.after)
			if _, v := d.asks(as(c.who), c.amount); v.Status != c.want {
				d.Errorf("%d: %s is %s", n, c.amount, v.Status)
			}
		}
	})
}

func TestLimitsAreGivenByRole(t *testing.T) {
	each(t, func(d *desk) {
		d.policy(`{"adjustment":{"reason":[{"code":"BILLING_ERROR"},{"code":"GIFT","operation":"credit"},{"code":"OTHER","needsNote":true},{"code":"OLD","retired":true}],"limit":[
			{"unit":"CHF","withoutApproval":1,"maximum":20},{"role":"lead","unit":"CHF","withoutApproval":50,"maximum":200,"mayApprove":100},
			{"role":"head","unit":"CHF","mayApprove":1000},{"role":"data","unit":"GB","maximum":2,"withoutApproval":2}]}}`)
		for n, c := range []struct {
			roles  []string
			amount string
			want   any
		}{
			{nil, "1 CHF", adjustment.Completed},
			{nil, "1.01 CHF", adjustment.Pending},
			{nil, "20 CHF", adjustment.Pending},
			{nil, "20.01 CHF", adjustment.CodeAboveLimit},
			{nil, "-20.01 CHF", adjustment.CodeAboveLimit},
			{[]string{"lead"}, "49 CHF", adjustment.Completed}, // 50 a day, of which 1 went before
			{[]string{"lead", "other"}, "200 CHF", adjustment.Pending},
			{[]string{"lead"}, "200.01 CHF", adjustment.CodeAboveLimit},
			{[]string{"head"}, "1000000 CHF", adjustment.Pending},
			{[]string{"lead"}, "1 GB", adjustment.CodeNotAllowed},
			{[]string{"data"}, "2000 MB", adjustment.Completed},
			{[]string{"data"}, "2001 MB", adjustment.CodeAboveLimit},
		} {
			_, v, _, err := d.Adjustments.Request(as(ann, c.roles...), d.order(c.amount))
			if code, refused := c.want.(fault.Code); refused {
				d.refused(fmt.Sprint(n), err, code)
			} else if err != nil || v.Status != c.want {
				d.Errorf("%d: %s by %v is %s (%v)", n, c.amount, c.roles, v.Status, err)
			}
		}
		for name, c := range map[string]struct {
			reason, note, amount string
			code                 fault.Code
		}{
			"unknown": {"X", "", "1 CHF", adjustment.CodeReason}, "retired": {"OLD", "", "1 CHF", adjustment.CodeReason},
			"for credits alone": {"GIFT", "", "-1 CHF", adjustment.CodeReason}, "says little": {"OTHER", "", "1 CHF", fault.CodeInvalid},
			"says enough": {"OTHER", "a word", "2 CHF", ""}, "a gift": {"GIFT", "", "2 CHF", ""},
		} {
			o := d.order(c.amount)
			o.Reason, o.Note = c.reason, c.note
			_, _, _, err := d.Adjustments.Request(as(ann), o)
			if c.code != "" {
				d.refused(name, err, c.code)
			} else if err != nil {
				d.Errorf("%s: %v", name, err)
			}
		}
		all, err := d.Adjustments.Reasons(d.admin)
		if err != nil || len(all) != 3 {
			d.Errorf("%+v %v", all, err)
		}
	})
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	each(t, func(d *desk) {
		other := d.Account(d.admin, t)
		for name, c := range map[string]struct {
			change func(o *adjustment.Order)
			at     string
		}{
			"nothing":                 {func(o *adjustment.Order) { o.Amount = quantity("0 CHF") }, "amount"},
			"no amount":               {func(o *adjustment.Order) { o.Amount = sid.Quantity{} }, "amount"},
			"another currency":        {func(o *adjustment.Order) { o.Amount = quantity("1 EUR") }, "amount"},
			"less than a centime":     {func(o *adjustment.Order) { o.Amount = quantity("0.001 CHF") }, "amount"},
			"words":                   {func(o *adjustment.Order) { o.Amount = quantity("much CHF") }, "amount"},
			"out of range":            {func(o *adjustment.Order) { o.Amount = quantity("99999999999999999999 CHF") }, "amount"},
			"no reason":               {func(o *adjustment.Order) { o.Reason = "" }, "reasonCode"},
			"a long note":             {func(o *adjustment.Order) { o.Note = strings.Repeat("x", 1001) }, "csrInput"},
			"a long reference":        {func(o *adjustment.Order) { o.Reference = strings.Repeat("x", 70) }, "externalTransactionNumber"},
			"no line":                 {func(o *adjustment.Order) { o.Line = "" }, "subscriptionId"},
			"the line of another":     {func(o *adjustment.Order) { o.Account = other }, "accountID"},
			"another's bucket":        {func(o *adjustment.Order) { o.BucketID = "bkt_x" }, "bucketID"},
			"an allowance of nothing": {func(o *adjustment.Order) { o.Bundle = true }, "usageType"},
			"an allowance there is not": {func(o *adjustment.Order) {
				o.Bundle, o.UsageType, o.Amount = true, balance.Other, quantity("1 points")
			}, "usageType"},
			"half a byte": {func(o *adjustment.Order) {
				o.Bundle, o.UsageType, o.Amount = true, balance.Data, quantity("0.5 B")
			}, "amount"},
		} {
			o := d.order("1 CHF")
			c.change(&o)
			_, _, _, err := d.Adjustments.Request(as(ann), o)
			if f := fault.From(err); f == nil || f.Attribute != c.at || f.Kind != fault.Invalid && f.Kind != fault.Conflict {
				d.Errorf("%s: %v, want one at %s", name, err, c.at)
			}
		}
		if _, _, _, err := d.Adjustments.Request(as(ann), adjustment.Order{Line: "sub_x", Asked: d.order("1 CHF").Asked}); fault.KindOf(err) != fault.NotFound {
			d.Errorf("an unknown line: %v", err)
		}
		if d.holds() != "5.10 5000000000" {
			d.Errorf("%s", d.holds())
		}
	})
}

func TestAReferenceIsOneAdjustment(t *testing.T) {
	each(t, func(d *desk) {
		o := d.order("2 CHF")
		o.Reference = "case 7"
		first, v, again, err := d.Adjustments.Request(as(ann), o)
		if err != nil || again || v.Status != adjustment.Completed {
			d.Fatal(again, err)
		}
		same := o
		same.Amount = quantity("2.00 CHF")
		second, _, again, err := d.Adjustments.Request(as(bob), same)
		if err != nil || !again || second.ID != first.ID || d.holds() != "7.10 5000000000" {
			d.Errorf("again: %v %v, %s", again, err, d.holds())
		}
		o.Amount = quantity("3 CHF")
		_, _, _, err = d.Adjustments.Request(as(ann), o)
		d.refused("with other content", err, adjustment.CodeReference)

		o = d.order("20 CHF")
		o.Reference = "case 8"
		doc, _, _, err := d.Adjustments.Request(as(ann), o)
		if err != nil {
			d.Fatal(err)
		}
		if _, _, err := d.Adjustments.Edit(as(cleo, "edit"), doc.ID, 0, func(a *adjustment.Asked) { a.Amount = quantity("25 CHF") }); err != nil {
			d.Fatal(err)
		}
		if third, v, again, err := d.Adjustments.Request(as(ann), o); err != nil || !again || third.ID != doc.ID || v.Count != 25e6 {
			d.Errorf("after it was edited: %v %v %+v", again, err, v)
		}
	})
}

func TestWhatNobodyDecidesIsRejected(t *testing.T) {
	each(t, func(d *desk) {
		d.policy(`{"adjustment":{"pendingDays":3}}`)
		i, _ := d.asks(as(ann), "20 CHF")
		decided, _ := d.asks(as(ann), "21 CHF")
		if _, _, err := d.Adjustments.Approve(as(bob, "approve"), decided, 0, ""); err != nil {
			d.Fatal(err)
		}
		d.clock.Advance(48 * time.Hour)
		d.Work(d.admin, t)
		if v, _ := d.see(i); v.Status != adjustment.Pending {
			d.Fatalf("%+v", v)
		}
		if _, _, err := d.Adjustments.Edit(as(ann, "edit"), i, 0, func(a *adjustment.Asked) { a.Amount = quantity("22 CHF") }); err != nil {
			d.Fatal(err)
		}
		d.clock.Advance(48 * time.Hour) // the edit began the time anew
		d.Work(d.admin, t)
		if v, _ := d.see(i); v.Status != adjustment.Pending {
			d.Fatalf("%+v", v)
		}
		d.clock.Advance(24 * time.Hour)
		d.Work(d.admin, t)
		v, _ := d.see(i)
		if v.Status != adjustment.Rejected || v.DecidedBy.Subject != "system" || v.DecisionNote == "" || states(v) != "CREATED PENDING_APPROVAL PENDING_APPROVAL REJECTED" {
			d.Errorf("%+v", v)
		}
		if v, _ := d.see(decided); v.Status != adjustment.Completed {
			d.Errorf("what was approved is %s", v.Status)
		}
	})
}
