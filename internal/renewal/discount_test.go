package renewal_test

import (
	"strings"
	"testing"

	"github.com/demarc-bss/demarc/internal/catalog"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/subscription"
)

func TestADiscountLastsItsPeriods(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		tax := []catalog.Tax{{Rate: []byte("8.1")}}
		v := catalog.Offering{
			Name: "Welcome", Key: "life-welcome", OfferingType: catalog.PricePlan, LifecycleStatus: catalog.Active, OpeningBalance: chf(t, "50"),
			Prices: []catalog.Price{
				{Name: "Fee", PriceType: "Recurring", Period: "month", Price: chf(t, "20"), Tax: tax, Alterations: []catalog.Alteration{
					{Name: "Half", Price: catalog.AlterationValue{Percentage: []byte("50")}, Duration: &sid.Quantity{Amount: []byte("2"), Units: "month"}},
					{Name: "Loyal", Price: catalog.AlterationValue{TaxIncluded: chf(t, "1")}},
				}},
				{Name: "Setup", PriceType: "one time", Price: chf(t, "5"), Tax: tax, Alterations: []catalog.Alteration{{Price: catalog.AlterationValue{TaxIncluded: chf(t, "2")}}}},
				{Name: "A minute", PriceType: "usage", Price: chf(t, "7"), Tax: tax},
			},
		}
		if _, _, err := o.Catalog.Offerings.Add(o.ctx, &v); err != nil {
			t.Fatal(err)
		}
		o.sell("welcome")
		o.is(subscription.Active, "Main balance 38.00") // 50 − (20 − 10 − 1) − (5 − 2); a minute is for those who talk
		o.until("2026-02-28 08:30")
		o.is(subscription.Active, "Main balance 29.00")
		st, err := o.Balances.Statements(o.ctx, o.line, 1)
		if err != nil {
			t.Fatal(err)
		}
		// 9 × 8.1 ÷ 108.1 = 0.674
		if text := st[0].Entries[0].Cause.Text; !strings.HasSuffix(text, ": 9.00 CHF, of which tax 0.67, less 1.00 CHF: Loyal, less 10.00 CHF: Half") {
			t.Errorf("it says %q", text)
		}
		o.until("2026-03-31 07:30")
		o.is(subscription.Active, "Main balance 10.00") // half a price was for two months
		o.until("2026-04-30 07:30")
		o.is(subscription.NonPaymentWarned, "Main balance 10.00")
		o.until("2026-05-03 07:30")
		o.is(subscription.NonPaymentSuspended, "Main balance 10.00")
		o.topUp("9")
		o.is(subscription.Active, "Main balance 0.00") // its months are counted anew, its discount is not
	})
}
