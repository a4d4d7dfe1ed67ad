package simulate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/order"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/usage"
)

// Report is what came of a simulation. It holds no ids and nothing of the machine: the same options make the same
// report. Money is in micros of Currency, quantities are seconds, bytes and messages.
type Report struct {
	Seed        uint64         `json:"seed"`
	Subscribers int            `json:"subscribers"`
	Days        int            `json:"days"`
	From        time.Time      `json:"from"`
	To          time.Time      `json:"to"`
	Currency    money.Currency `json:"currency"`
	// Sold lines came to be; Lines says in what state they are, Churn why some are used no more.
	Sold  int            `json:"sold"`
	Lines map[string]int `json:"lines"`
	Churn map[string]int `json:"churn"`
	// Orders are counted by what was ordered and how they ended, Refused by why they were not taken.
	Orders  Orders           `json:"orders"`
	Refused map[string]int   `json:"refused"`
	Usage   map[string]*Used `json:"usage"`
	Topups  Topups           `json:"topups"`
	Revenue []Revenue        `json:"revenue"`
	// Held is what lines could still spend at the end, by unit.
	Held   map[string]int64 `json:"held"`
	Jobs   Jobs             `json:"jobs"`
	Ledger Ledger           `json:"ledger"`
}

// Orders are how many orders of a kind ended in a state.
type Orders map[string]map[string]int

func (o Orders) tell(what string, s order.State) {
	if o[what] == nil {
		o[what] = map[string]int{}
	}
	o[what][string(s)]++
}

// Used is what was used of a kind.
type Used struct {
	Records  int   `json:"records"`
	Quantity int64 `json:"quantity"`
	// Charged was paid from money, tax included; Uncollected was not there to be paid; Suspended records could not be
	// rated, and Refused ones were not taken in.
	Charged     int64 `json:"charged"`
	Uncollected int64 `json:"uncollected"`
	Suspended   int   `json:"suspended"`
	Refused     int   `json:"refused"`
}

// Topups are payments and vouchers.
type Topups struct {
	Payments int   `json:"payments"`
	Vouchers int   `json:"vouchers"`
	Amount   int64 `json:"amount"`
	// Printed vouchers were made, Mistyped codes refused.
	Printed  int `json:"vouchersPrinted"`
	Mistyped int `json:"codesMistyped"`
}

func (t *Topups) paid(amount int64) { t.Amount += amount }

// Revenue is what was sold because of one kind of thing, without the tax in it.
type Revenue struct {
	Kind string `json:"kind"`
	Net  int64  `json:"net"`
	Tax  int64  `json:"tax"`
}

// Jobs are how many runs there were, and how many jobs ended for good without success.
type Jobs struct {
	Run  int   `json:"run"`
	Dead int64 `json:"dead"`
}

// Ledger is the proof that nothing was made or lost.
type Ledger struct {
	Entries int64 `json:"entries"`
	// Sums are those of all entries by unit: every one is zero.
	Sums map[string]int64 `json:"sums"`
	// Buckets were compared with their entries. Wrong says what does not fit: nothing.
	Buckets int      `json:"buckets"`
	Wrong   []string `json:"wrong"`
}

func (r *Report) begin(o Options, sp provider.ServiceProvider, now time.Time) {
	*r = Report{
		Seed: o.Seed, Subscribers: o.Subscribers, Days: o.Days, From: now, Currency: sp.Currency,
		Lines: map[string]int{}, Churn: map[string]int{}, Orders: Orders{}, Refused: map[string]int{}, Usage: map[string]*Used{},
		Held: map[string]int64{}, Ledger: Ledger{Sums: map[string]int64{}, Wrong: []string{}},
	}
}

// used counts a record and what became of it.
func (r *Report) used(rec usage.Record, o usage.Outcome) {
	u := r.Usage[rec.UsageType]
	if u == nil {
		u = &Used{}
		r.Usage[rec.UsageType] = u
	}
	u.Records++
	u.Charged += o.Charged
	u.Uncollected += o.Uncollected
	switch {
	case o.Err != nil:
		u.Refused++
		return
	case o.Suspense != "":
		u.Suspended++
	}
	u.Quantity += rec.Quantity
}

func (r *Report) records() (n int) {
	for _, u := range r.Usage {
		n += u.Records
	}
	return n
}

// Proven reports whether the ledger is as it must be.
func (r *Report) Proven() bool {
	for _, sum := range r.Ledger.Sums {
		if sum != 0 {
			return false
		}
	}
	return len(r.Ledger.Wrong) == 0
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(t, format+"\n", args...) } // Flush tells what could not be written
	cash := func(micros int64) string { return money.OfMicros(micros, r.Currency).Round().String() }
	line("%d lines sold in %d days, %s to %s, seed %d", r.Sold, r.Days, r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Seed)
	counts := func(title string, all map[string]int) {
		if len(all) == 0 {
			return
		}
		line("\n%s", title)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			line("  %s\t%d", name, all[name])
		}
	}
	counts("Lines now", r.Lines)
	counts("Used no more", r.Churn)
	line("\nOrders")
	for _, what := range slices.Sorted(maps.Keys(r.Orders)) {
		var ends []string
		for _, state := range slices.Sorted(maps.Keys(r.Orders[what])) {
			ends = append(ends, fmt.Sprintf("%d %s", r.Orders[what][state], state))
		}
		line("  %s\t%s", what, strings.Join(ends, ", "))
	}
	counts("Orders refused", r.Refused)
	line("\nUsage\trecords\tquantity\tcharged\tnot collected\tsuspended")
	for _, kind := range slices.Sorted(maps.Keys(r.Usage)) {
		u := r.Usage[kind]
		line("  %s\t%d\t%s\t%s\t%s\t%d", kind, u.Records, quantity(kind, u.Quantity), cash(u.Charged), cash(u.Uncollected), u.Suspended+u.Refused)
	}
	line("\nRevenue\tnet\ttax")
	var net, tax int64
	for _, v := range r.Revenue {
		net, tax = net+v.Net, tax+v.Tax
		line("  %s\t%s\t%s", v.Kind, cash(v.Net), cash(v.Tax))
	}
	line("  all\t%s\t%s", cash(net), cash(tax))
	line("\nTop-ups\t%s by %d payments and %d vouchers; %d vouchers printed, %d codes mistyped", cash(r.Topups.Amount), r.Topups.Payments, r.Topups.Vouchers, r.Topups.Printed, r.Topups.Mistyped)
	line("\nBalances held")
	for _, unit := range slices.Sorted(maps.Keys(r.Held)) {
		line("  %s\t%s", unit, balance.Decimal(unit, r.Held[unit]))
	}
	line("\nJobs\t%d runs, %d dead", r.Jobs.Run, r.Jobs.Dead)
	line("\nThe ledger's proof\t%d entries, %d buckets compared with theirs", r.Ledger.Entries, r.Ledger.Buckets)
	for _, unit := range slices.Sorted(maps.Keys(r.Ledger.Sums)) {
		line("  the entries of %s sum to\t%d", unit, r.Ledger.Sums[unit])
	}
	for _, wrong := range r.Ledger.Wrong {
		line("  WRONG: %s", wrong)
	}
	if r.Proven() {
		line("  nothing was made, nothing was lost")
	}
	return t.Flush()
}

// quantity writes seconds, bytes and messages as people do.
func quantity(kind string, n int64) string {
	switch kind {
	case "voice":
		return fmt.Sprintf("%d h", n/3600)
	case "data":
		return fmt.Sprintf("%d GB", n/1_000_000_000)
	}
	return fmt.Sprintf("%d messages", n)
}
