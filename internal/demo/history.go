package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
	"github.com/demarc-bss/demarc/internal/usage"
)

const (
	// lived is how many lines get a history: a top-up, an add-on that they can pay, some usage.
	lived = 6
	// suspended and blocked are which lines after those are so.
	suspended, blocked = lived, lived + 1
)

// history gives the first lines something to look at, in one transaction, once.
func (h *House) history(ctx context.Context, p Provider) error {
	return h.Store.Write(ctx, func(ctx context.Context) error {
		if done, err := h.Store.Claimant(ctx, mark, "history"); err != nil || done != "" {
			return err
		}
		page, err := h.Subscriptions.Lines.Docs(ctx, store.Query{NoTotal: true, Limit: blocked + 1})
		if err != nil {
			return err
		}
		var records []usage.Record
		for n, d := range page.Items {
			line, _, err := h.Subscriptions.Lines.Get(ctx, d.ID)
			if err != nil {
				return err
			}
			switch n {
			case suspended:
				_, err = h.Subscriptions.Move(ctx, d.ID, subscription.Suspended)
			case blocked:
				err = h.change(ctx, line.AccountID, order.Item{Action: "delete", Product: &order.Product{ID: string(d.ID)}, Block: true})
			default:
				records = append(records, h.used(ctx, n, d.ID, line)...)
				if err = h.busy(ctx, p, n, d.ID, line); err == nil {
					err = h.topups(ctx, p, n, d.ID, line)
				}
			}
			if err != nil {
				return err
			}
		}
		if err := h.Work(ctx); err != nil {
			return err
		}
		if _, err := h.Usage.Ingest(ctx, records); err != nil {
			return err
		}
		return h.Store.Claim(ctx, mark, "history", owner)
	})
}

// busy pays money into a line and orders an add-on that goes with its plan.
func (h *House) busy(ctx context.Context, p Provider, n int, i id.ID, line subscription.Line) error {
	_, _, _, err := h.Balances.TopUp(ctx, balance.TopupOrder{
		Subscription: i, Amount: money.OfMicros(int64(10+10*(n%3))*money.Micros, p.Currency), Reference: fmt.Sprintf("kiosk-%d", n+1), Reason: "paid in cash",
	})
	if err != nil || line.Plan() == nil {
		return err
	}
	all, err := h.Catalog.AddOns(ctx, id.ID(line.Plan().ID))
	if err != nil || len(all) == 0 {
		return err
	}
	addOn := all[n%len(all)]
	return h.change(ctx, line.AccountID, order.Item{Action: "add", Offering: &sid.Ref{ID: string(addOn.ID)}, Product: &order.Product{ID: string(i)}})
}

// change orders a change of a line; one that the line cannot pay or may not have is left out.
func (h *House) change(ctx context.Context, account id.ID, it order.Item) error {
	_, _, err := h.Orders.Place(ctx, &order.Order{BillingAccount: &sid.Ref{ID: string(account)}, Items: []order.Item{it}})
	if fault.KindOf(err) == fault.Conflict {
		return nil
	}
	return err
}

// used is what a line did since it was activated, a moment ago.
func (h *House) used(ctx context.Context, n int, i id.ID, line subscription.Line) []usage.Record {
	now := h.Store.Now(ctx)
	record := func(k int, kind string, quantity int64, other string) usage.Record {
		return usage.Record{
			ID: fmt.Sprintf("%s-%d", line.MSISDN, k), Source: "demonstration", Subscription: i, UsageType: kind, Quantity: quantity,
			Start: now.Add(time.Duration(k) * time.Second), Other: other,
		}
	}
	friend := "+" + string(line.MSISDN[:len(line.MSISDN)-1]) + fmt.Sprint((n+3)%10)
	return []usage.Record{
		record(1, rating.Data, int64(5+n)*1_234_567, ""),
		record(2, rating.Voice, int64(45+31*n), friend),
		record(3, rating.SMS, 1, friend),
		record(4, rating.Voice, int64(60+7*n), "+41446681800"),
	}
}
