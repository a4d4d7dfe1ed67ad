package simulate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"golang.org/x/sync/errgroup"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// count completes the report from what the database holds, and proves the ledger.
func (p *play) count(ctx context.Context) error {
	p.report.To = p.Store.Now(ctx)
	var unbalanced []string
	side, sideCtx := errgroup.WithContext(ctx) // all of the ledger is read twice: once beside the rest
	side.Go(func() (err error) {
		unbalanced, err = p.Store.Unbalanced(sideCtx)
		return err
	})
	for _, step := range []func(context.Context) error{p.countLines, p.countSales, p.countBuckets} {
		if err := step(sideCtx); err != nil {
			return cmp.Or(side.Wait(), err)
		}
	}
	if err := side.Wait(); err != nil {
		return err
	}
	p.report.Ledger.Wrong = append(p.report.Ledger.Wrong, unbalanced...)
	_, dead, err := p.Store.Jobs(ctx, "", job.Dead, 0, 1)
	p.report.Jobs.Dead = dead
	return err
}

// page is how many documents are read at once.
const page = 1000

// each decodes all documents of a collection, the oldest first.
func each[T any](ctx context.Context, docs func(context.Context, store.Query) (store.Page, error), do func(d store.Doc, v T) error) error {
	after := ""
	for {
		q := store.Query{NoTotal: true, Limit: page, Sort: []store.Sort{{Path: []string{"id"}}}}
		if after != "" {
			q.Filters = []store.Filter{{Path: []string{"id"}, Op: store.Gt, Values: []string{after}, Type: store.Text}}
		}
		found, err := docs(ctx, q)
		if err != nil {
			return err
		}
		for _, d := range found.Items {
			var v T
			if err := json.Unmarshal(d.Body, &v); err != nil {
				return err
			}
			if err := do(d, v); err != nil {
				return err
			}
		}
		if len(found.Items) < page {
			return nil
		}
		after = string(found.Items[page-1].ID)
	}
}

func (p *play) countLines(ctx context.Context) error {
	return each(ctx, p.Subscriptions.Lines.Docs, func(_ store.Doc, v subscription.Line) error {
		p.report.Lines[string(v.State)]++
		return nil
	})
}

// countSales reads from the ledger what was sold because of what.
func (p *play) countSales(ctx context.Context) error {
	totals, err := p.Store.Totals(ctx)
	if err != nil {
		return err
	}
	kinds := map[string]*Revenue{}
	for _, t := range totals {
		p.report.Ledger.Entries += t.Entries
		p.report.Ledger.Sums[t.Unit] += t.Amount
		if t.Account != balance.Sales && t.Account != balance.Taxes {
			continue
		}
		r := kinds[t.CauseKind]
		if r == nil {
			r = &Revenue{Kind: t.CauseKind}
			kinds[t.CauseKind] = r
		}
		if t.Account == balance.Sales {
			r.Net += t.Amount
		} else {
			r.Tax += t.Amount
		}
	}
	p.report.Revenue = []Revenue{}
	for _, r := range kinds {
		p.report.Revenue = append(p.report.Revenue, *r)
	}
	slices.SortFunc(p.report.Revenue, func(a, b Revenue) int { return strings.Compare(a.Kind, b.Kind) })
	return nil
}

// countBuckets holds every bucket against its ledger account.
func (p *play) countBuckets(ctx context.Context) error {
	return p.Store.Snapshot(ctx, func(ctx context.Context) error {
		return each(ctx, p.Balances.Buckets.Docs, func(d store.Doc, b balance.Bucket) error {
			home, _ := d.ID.Home()
			held, err := p.Store.Balance(ctx, home, string(d.ID), b.Unit)
			if err != nil {
				return err
			}
			p.report.Ledger.Buckets++
			if shown := string(b.Remaining.Amount); shown != balance.Decimal(b.Unit, held) {
				p.report.Ledger.Wrong = append(p.report.Ledger.Wrong, fmt.Sprintf("a bucket %s shows %s %s and its entries say %s", b.Name, shown, b.Unit, balance.Decimal(b.Unit, held)))
			}
			if b.Status == balance.Active {
				p.report.Held[b.Unit] += held
			}
			return nil
		})
	})
}
