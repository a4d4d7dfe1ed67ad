package order_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/account"
	netsim "github.com/demarc-bss/demarc/internal/connect/network"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/network"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/order/ordertest"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

func asAnn() context.Context {
	return scope.With(context.Background(), scope.Grant(1, scope.Actor{Subject: "ann", Client: "test"}, scope.Claims{SPIDs: []int{1}}))
}

func each(t *testing.T, resources int, run func(ctx context.Context, t *testing.T, h *ordertest.House)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h := ordertest.New(s)
		ctx := asAnn()
		h.Furnish(ctx, t, resources)
		run(ctx, t, h)
	})
}

func place(ctx context.Context, t *testing.T, h *ordertest.House, o *order.Order) id.ID {
	t.Helper()
	i, _, err := h.Orders.Place(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func get(ctx context.Context, t *testing.T, h *ordertest.House, i id.ID) order.Order {
	t.Helper()
	o, _, err := h.Orders.Orders.Get(ctx, i)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestAnOrderBecomesAnActiveLineWithItsBalances(t *testing.T) {
	each(t, 3, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "plus"))
		if o := get(ctx, t, h, i); o.State != order.Acknowledged || len(o.Items[0].Milestones) != 6 {
			t.Fatalf("a placed order is %s with %d steps, want acknowledged with 6", o.State, len(o.Items[0].Milestones))
		}
		h.Work(ctx, t)
		o := get(ctx, t, h, i)
		if o.State != order.Completed || o.Items[0].State != order.Completed || o.CompletionDate == nil {
			t.Fatalf("the order ended %s: %+v", o.State, o.Errors)
		}
		_, line, err := h.Subscriptions.Resolve(ctx, o.Items[0].Product.ID)
		if err != nil {
			t.Fatal(err)
		}
		if line.State != subscription.Active || line.Status != "active" || line.StartDate == nil {
			t.Errorf("the line is %s (%s)", line.State, line.Status)
		}
		if byNumber, _, err := h.Subscriptions.Resolve(ctx, line.MSISDN.E123()); err != nil || string(byNumber) != o.Items[0].Product.ID {
			t.Errorf("the line is not found by %s: %s, %v", line.MSISDN.E123(), byNumber, err)
		}
		held := map[string]string{}
		statements, err := h.Balances.Statements(ctx, id.ID(o.Items[0].Product.ID), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range statements {
			held[s.Bucket.UsageType] = string(s.Bucket.Remaining.Amount) + " " + s.Bucket.Unit
			if len(s.Entries) == 0 || s.Entries[0].Cause.ID != string(i) {
				t.Errorf("the entries of %s do not name the order: %+v", s.Bucket.Name, s.Entries)
			}
		}
		for usage, want := range map[string]string{"monetary": "5.10 CHF", "data": "5000000000 bytes", "voice": "6000 seconds", "sms": "50 messages"} {
			if held[usage] != want {
				t.Errorf("%s balance is %s, want %s", usage, held[usage], want)
			}
		}
		h.Balanced(ctx, t)
	})
}

func TestAnOrderGetsTheNumberAndSIMItAsksFor(t *testing.T) {
	each(t, 3, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		o := h.Order(ctx, t, h.Account(ctx, t), "start", sid.Characteristic{Name: "msisdn", Value: jsontext.Value(`"079 000 00 02"`)})
		i := place(ctx, t, h, o)
		h.Work(ctx, t)
		done := get(ctx, t, h, i)
		if done.State != order.Completed {
			t.Fatalf("the order ended %s: %+v", done.State, done.Errors)
		}
		if _, line, err := h.Subscriptions.Resolve(ctx, "41790000002"); err != nil || line.State != subscription.Active {
			t.Errorf("the line with the wished number is %s, %v", line.State, err)
		}
		_, _, err := h.Orders.Place(ctx, h.Order(ctx, t, h.Account(ctx, t), "start", sid.Characteristic{Name: "MSISDN", Value: jsontext.Value(`"41790000002"`)}))
		if fault.From(err).Code != inventory.CodeTaken {
			t.Errorf("a number in use was ordered again: %v", err)
		}
	})
}

func TestAnOrderIsRefusedUpFront(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		a := h.Account(ctx, t)
		suspended := h.Account(ctx, t)
		if _, err := h.Accounts.Billing.Change(ctx, suspended, func(v *account.Account) error { v.State = account.Suspended; return nil }); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			change    func(o *order.Order)
			kind      fault.Kind
			attribute string
		}{
			"no items":          {func(o *order.Order) { o.Items = nil }, fault.Invalid, "productOrderItem"},
			"no account":        {func(o *order.Order) { o.BillingAccount = nil }, fault.Invalid, "billingAccount"},
			"unknown account":   {func(o *order.Order) { o.BillingAccount.ID = "bac_00000000000000000000000000" }, fault.Invalid, "billingAccount.id"},
			"suspended account": {func(o *order.Order) { o.BillingAccount.ID = string(suspended) }, fault.Conflict, "billingAccount"},
			"unknown offering": {func(o *order.Order) {
				o.Items[0].Offering.ID = string(id.New(id.Kind{Prefix: "off"}, 1, time.Unix(0, 0)))
			}, fault.Invalid, "productOrderItem[0].productOffering.id"},
			"unknown action":  {func(o *order.Order) { o.Items[0].Action = "buy" }, fault.Invalid, "productOrderItem[0].action"},
			"same item twice": {func(o *order.Order) { o.Items = append(o.Items, o.Items[0]); o.Items[0].ID, o.Items[1].ID = "1", "1" }, fault.Invalid, "productOrderItem[1].id"},
			"foreign number": {func(o *order.Order) {
				o.Items[0].Product = &order.Product{Characteristics: []sid.Characteristic{{Name: "MSISDN", Value: jsontext.Value(`"41761234567"`)}}}
			}, fault.Invalid, "productOrderItem[0].product.productCharacteristic[0].value"},
			"bad ICCID": {func(o *order.Order) {
				o.Items[0].Product = &order.Product{Characteristics: []sid.Characteristic{{Name: "ICCID", Value: jsontext.Value(`"8941001000000000000"`)}}}
			}, fault.Invalid, "productOrderItem[0].product.productCharacteristic[0].value"},
		} {
			o := h.Order(ctx, t, a, "start")
			c.change(o)
			_, _, err := h.Orders.Place(ctx, o)
			if f := fault.From(err); err == nil || f.Kind != c.kind || f.Attribute != c.attribute {
				t.Errorf("%s: %v, want %s at %s", name, err, c.kind, c.attribute)
			}
		}
	})
}

// onNet is each with a network that behaves as choose says.
func onNet(t *testing.T, resources int, choose func(o network.Order, call int) netsim.Fault, run func(ctx context.Context, t *testing.T, h *ordertest.House)) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		h := ordertest.NewOn(s, netsim.SimulatorOptions{Choose: choose, Delay: time.Hour})
		ctx := asAnn()
		h.Furnish(ctx, t, resources)
		run(ctx, t, h)
	})
}

// when is a network on which one action goes wrong.
func when(a network.Action, f netsim.Fault) func(network.Order, int) netsim.Fault {
	return func(o network.Order, _ int) netsim.Fault {
		if o.Action == a {
			return f
		}
		return netsim.None
	}
}

// nothingLeft holds that a failed line left nothing behind.
func nothingLeft(ctx context.Context, t *testing.T, h *ordertest.House, line id.ID) {
	t.Helper()
	statements, err := h.Balances.Statements(ctx, line, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if s.Held != 0 || s.Bucket.Status != "expired" {
			t.Errorf("%s holds %d and is %s", s.Bucket.Name, s.Held, s.Bucket.Status)
		}
	}
	if l := h.Net.Line(line); l.Connected {
		t.Error("the network has it connected")
	}
	h.Balanced(ctx, t)
}

func TestAFailedStepIsTakenBackInReverse(t *testing.T) {
	onNet(t, 1, when(network.Activate, netsim.Refuse), func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "plus"))
		h.Work(ctx, t)
		o := get(ctx, t, h, i)
		if o.State != order.Failed || len(o.Errors) != 1 || o.Errors[0].Code != order.CodeRefused {
			t.Fatalf("the order ended %s: %+v", o.State, o.Errors)
		}
		const undone, failed, pending = order.StepCompensated, order.StepFailed, order.StepPending
		for n, want := range []order.MilestoneStatus{undone, undone, undone, failed, pending, pending} {
			if got := o.Items[0].Milestones[n].Status; got != want {
				t.Errorf("step %s is %s, want %s", o.Items[0].Milestones[n].Name, got, want)
			}
		}
		line := id.ID(o.Items[0].Product.ID)
		if v, _, err := h.Subscriptions.Lines.Get(ctx, line); err != nil || v.State != subscription.Cancelled || v.Status != "cancelled" {
			t.Errorf("the line is %s (%s), %v", v.State, v.Status, err)
		}
		nothingLeft(ctx, t, h, line)
		if page, err := h.Inventory.Numbers.Docs(ctx, store.Query{Filters: available}); err != nil || len(page.Items) != 1 {
			t.Errorf("%d numbers are free, %v", len(page.Items), err)
		}
	})
}

var available = []store.Filter{{Path: []string{"status"}, Op: store.Eq, Values: []string{"available"}, Type: store.Text}}

func TestALineWhoseActivationFailsLeavesNothingBehind(t *testing.T) {
	onNet(t, 1, when(network.Activate, netsim.Later), func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "plus"))
		h.Work(ctx, t)
		o := get(ctx, t, h, i)
		if o.State != order.InProgress || o.Items[0].Milestones[3].Status != order.StepWaiting {
			t.Fatalf("the order is %s: %+v", o.State, o.Items[0].Milestones)
		}
		line := id.ID(o.Items[0].Product.ID)
		if _, err := h.Subscriptions.Lines.Change(ctx, line, func(v *subscription.Line) error { v.ICCID = ""; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Net.Deliver(); err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		if o := get(ctx, t, h, i); o.State != order.Failed {
			t.Fatalf("the order ended %s", o.State)
		}
		nothingLeft(ctx, t, h, line)
		free(ctx, t, h)
	})
}

// free holds that the one number and the one SIM can be had again: another order gets them.
func free(ctx context.Context, t *testing.T, h *ordertest.House) {
	t.Helper()
	i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
	for range 2 {
		h.Work(ctx, t)
		if _, err := h.Net.Deliver(); err != nil {
			t.Fatal(err)
		}
	}
	if o := get(ctx, t, h, i); o.State != order.Completed {
		t.Errorf("number and SIM did not come free: %s %+v", o.State, o.Errors)
	}
}

func TestAnEmptyPoolFailsTheOrder(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
		h.Work(ctx, t)
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
		h.Work(ctx, t)
		if o := get(ctx, t, h, i); o.State != order.Failed || o.Errors[0].Code != inventory.CodeNone {
			t.Errorf("the order ended %s: %+v", o.State, o.Errors)
		}
	})
}

func TestAStepThatRanAlreadyIsNotRepeated(t *testing.T) {
	each(t, 2, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "plus"))
		handlers := h.Jobs()
		maps.Copy(handlers, h.WaitingJobs())
		for range 10 {
			jobs, err := h.Store.ClaimJobs(ctx, 1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if len(jobs) == 0 {
				break
			}
			for range 2 { // the first worker died before it could say so
				if err := handlers[jobs[0].Kind](ctx, jobs[0]); err != nil {
					t.Fatal(err)
				}
			}
			if err := h.Store.FinishJob(ctx, jobs[0]); err != nil {
				t.Fatal(err)
			}
		}
		o := get(ctx, t, h, i)
		if o.State != order.Completed {
			t.Fatalf("the order ended %s: %+v", o.State, o.Errors)
		}
		if page, err := h.Subscriptions.Lines.Docs(ctx, store.Query{}); err != nil || page.Total != 1 {
			t.Errorf("%d lines, %v", page.Total, err)
		}
		if s, err := h.Balances.Statements(ctx, id.ID(o.Items[0].Product.ID), 0); err != nil || len(s) != 4 {
			t.Errorf("%d buckets, %v", len(s), err)
		}
		h.Balanced(ctx, t)
	})
}

func TestAnOrderOfTwoItemsIsPartialWhenOneFails(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		o := h.Order(ctx, t, h.Account(ctx, t), "start")
		o.Items = append(o.Items, o.Items[0])
		i := place(ctx, t, h, o)
		h.Work(ctx, t)
		done := get(ctx, t, h, i)
		if done.State != order.Partial || done.Items[0].State != order.Completed || done.Items[1].State != order.Failed {
			t.Errorf("the order ended %s with items %s and %s", done.State, done.Items[0].State, done.Items[1].State)
		}
	})
}

func TestParallelOrdersNeverShareANumber(t *testing.T) {
	const orders, workers = 48, 8
	each(t, orders, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		offering := h.Offering(ctx, t, "plus")
		accounts := make([]id.ID, orders)
		for n := range accounts {
			accounts[n] = h.Account(ctx, t)
		}
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for n := w; n < orders; n += workers {
					o := &order.Order{BillingAccount: &sid.Ref{ID: string(accounts[n])}, Items: []order.Item{{Offering: &sid.Ref{ID: string(offering)}}}}
					if _, _, err := h.Orders.Place(ctx, o); err != nil {
						t.Error(err)
					}
				}
				h.Work(ctx, t)
			})
		}
		wg.Wait()
		h.Work(ctx, t)
		page, err := h.Subscriptions.Lines.Docs(ctx, store.Query{})
		if err != nil {
			t.Fatal(err)
		}
		numbers, sims := map[string]bool{}, map[string]bool{}
		for _, d := range page.Items {
			line, _, err := h.Subscriptions.Lines.Get(ctx, d.ID)
			if err != nil {
				t.Fatal(err)
			}
			if line.State != subscription.Active {
				t.Errorf("%s is %s", line.MSISDN, line.State)
			}
			numbers[string(line.MSISDN)], sims[line.ICCID] = true, true
		}
		if len(page.Items) != orders || len(numbers) != orders || len(sims) != orders {
			t.Errorf("%d lines with %d numbers and %d SIMs, want %d of each", len(page.Items), len(numbers), len(sims), orders)
		}
		h.Balanced(ctx, t)
	})
}

func TestAnOrderThatNamesNoOfferingWaitsForAPerson(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		o := &order.Order{Items: []order.Item{{ID: "123", Action: "add"}}, RelatedParty: []sid.Ref{{ID: "456-dd-df45", ReferredType: "Individual"}}}
		i := place(ctx, t, h, o)
		h.Work(ctx, t)
		if got := get(ctx, t, h, i); got.State != order.Acknowledged {
			t.Errorf("the order is %s", got.State)
		}
	})
}

func TestAnOrderUnderWayIsNotDeleted(t *testing.T) {
	onNet(t, 1, when(network.Activate, netsim.Later), func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
		h.Work(ctx, t)
		err := h.Orders.Orders.Delete(ctx, i, 0)
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != order.CodeUnderWay {
			t.Errorf("an order under way was deleted: %v", err)
		}
	})
}

func TestACancelledOrderIsNotCarriedOut(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
		_, _, err := h.Orders.Cancel(ctx, i, "changed my mind")
		if err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		if o := get(ctx, t, h, i); o.State != order.Cancelled || o.CancellationDate == nil || o.CancellationReason != "changed my mind" {
			t.Errorf("the order is %s: %+v", o.State, o)
		}
		if page, err := h.Subscriptions.Lines.Docs(ctx, store.Query{}); err != nil || page.Total != 0 {
			t.Errorf("%d lines, %v", page.Total, err)
		}
		if _, _, err := h.Orders.Cancel(ctx, i, ""); fault.From(err).Code != order.CodeTooLate {
			t.Errorf("it was cancelled twice: %v", err)
		}
	})
}

func TestAnOrderIsCancelledWhileTheNetworkWorks(t *testing.T) {
	onNet(t, 1, when(network.Activate, netsim.Later), func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "plus"))
		h.Work(ctx, t)
		request, _, err := h.Orders.Cancel(ctx, i, "")
		if err != nil {
			t.Fatal(err)
		}
		if o := get(ctx, t, h, i); o.State != order.PendingCancellation || o.Items[0].State != order.PendingCancellation {
			t.Errorf("the order is %s", o.State)
		}
		h.Work(ctx, t)
		if _, err := h.Net.Deliver(); err != nil {
			t.Fatal(err)
		}
		h.Work(ctx, t)
		o := get(ctx, t, h, i)
		if o.State != order.Cancelled || o.Items[0].State != order.Cancelled {
			t.Fatalf("the order ended %s: %+v", o.State, o.Items[0].Milestones)
		}
		c, _, err := h.Orders.Cancellations.Get(ctx, request)
		if err != nil || c.State != order.TaskDone || c.Effective == nil {
			t.Errorf("the request is %+v, %v", c, err)
		}
		nothingLeft(ctx, t, h, id.ID(o.Items[0].Product.ID))
		free(ctx, t, h)
	})
}

func TestACompletedOrderCannotBeCancelled(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
		h.Work(ctx, t)
		if _, _, err := h.Orders.Cancel(ctx, i, ""); fault.From(err).Code != order.CodeTooLate {
			t.Errorf("%v", err)
		}
		// As a task it is recorded instead.
		_, d, err := h.Orders.Cancellations.Add(ctx, &order.Cancellation{Order: &sid.Ref{ID: string(i)}})
		if err != nil || !strings.Contains(string(d.Body), `"terminatedWithError"`) {
			t.Errorf("%s, %v", d.Body, err)
		}
	})
}

func TestAHeldOrderGoesOnWhenItIsLetGo(t *testing.T) {
	each(t, 1, func(ctx context.Context, t *testing.T, h *ordertest.House) {
		i := place(ctx, t, h, h.Order(ctx, t, h.Account(ctx, t), "start"))
		for _, s := range []order.State{order.Held, order.InProgress} {
			if _, err := h.Orders.Orders.Change(ctx, i, func(o *order.Order) error { o.State = s; return nil }); err != nil {
				t.Fatal(err)
			}
			h.Work(ctx, t)
		}
		if o := get(ctx, t, h, i); o.State != order.Completed {
			t.Errorf("the order is %s", o.State)
		}
	})
}
