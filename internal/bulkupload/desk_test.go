package bulkupload

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/customer"
	"github.com/demarc-bss/demarc/internal/inventory"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/party"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/storetest"
	"github.com/demarc-bss/demarc/internal/subscription"
)

const plans = `
currency: CHF
taxRate: 8.1
plans:
  - key: start
    name: Start
    price: 0
    openingBalance: 5
  - key: plus
    name: Plus
    price: 19.90
    openingBalance: 25
`

// desk is uploads with all that they fill.
type desk struct {
	*Service
	t   testing.TB
	ctx context.Context
}

func newDesk(t testing.TB, s *store.Store) *desk {
	t.Helper()
	d := &desk{t: t, ctx: storetest.Context(1)}
	var p Parts
	p.Providers = provider.New(s)
	parties := party.New(s)
	p.Accounts = account.New(s, customer.New(s, parties), parties, p.Providers)
	p.Catalog = catalog.New(s)
	p.Inventory = inventory.New(s, p.Providers)
	p.Subscriptions = subscription.New(s, p.Accounts, p.Providers)
	p.Balances = balance.New(s, balance.Parts{Providers: p.Providers})
	d.Service = New(s, p)
	if _, _, err := p.Providers.Add(d.ctx, &provider.ServiceProvider{Name: "Happy", Currency: "CHF", Country: "CH"}); err != nil {
		t.Fatal(err)
	}
	o, err := catalog.Parse([]byte(plans))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Catalog.Load(d.ctx, o); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) receive(of, file string) id.ID {
	d.t.Helper()
	i, _, _, err := d.Receive(d.ctx, Upload{Of: of, File: of + ".csv"}, []byte(file), false)
	if err != nil {
		d.t.Fatal(err)
	}
	return i
}

// work runs the jobs that are due.
func (d *desk) work() {
	d.t.Helper()
	for {
		jobs, err := d.store.ClaimJobs(d.ctx, 10, time.Minute)
		if err != nil {
			d.t.Fatal(err)
		}
		if len(jobs) == 0 {
			return
		}
		for _, j := range jobs {
			if err := d.Jobs()[j.Kind](d.ctx, j); err != nil {
				d.t.Fatal(err)
			}
			if err := d.store.FinishJob(d.ctx, j); err != nil {
				d.t.Fatal(err)
			}
		}
	}
}

func (d *desk) see(i id.ID) Upload {
	d.t.Helper()
	u, _, err := d.Uploads.Get(d.ctx, i)
	if err != nil {
		d.t.Fatal(err)
	}
	return u
}

func iccid(n int) string {
	payload := fmt.Sprintf("8941001%011d", n)
	return payload + string(inventory.Luhn(payload))
}

func imsi(n int) string { return fmt.Sprintf("22801%010d", n) }

// simFile is a file of so many SIMs from one on.
func simFile(from, count int) string {
	var b strings.Builder
	b.WriteString("iccid,imsi\n")
	for n := from; n < from+count; n++ {
		b.WriteString(iccid(n) + "," + imsi(n) + "\n")
	}
	return b.String()
}

// subscriberFile is a file of so many subscribers.
func subscriberFile(count int) string {
	var b strings.Builder
	b.WriteString("iccid,imsi,msisdn,plan,balance\n")
	for n := range count {
		fmt.Fprintf(&b, "%s,%s,%d,start,7.50\n", iccid(n), imsi(n), 41780000000+n)
	}
	return b.String()
}

func (d *desk) count(docs func(context.Context, store.Query) (store.Page, error), status string) int64 {
	d.t.Helper()
	q := store.Query{Limit: 1}
	if status != "" {
		q.Filters = []store.Filter{{Path: []string{"status"}, Op: store.Eq, Values: []string{status}, Type: store.Text}}
	}
	p, err := docs(d.ctx, q)
	if err != nil {
		d.t.Fatal(err)
	}
	return p.Total
}
