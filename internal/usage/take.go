package usage

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Outcome is what became of one record.
type Outcome struct {
	// ID is the usage; that of the first time when the record is a Duplicate; empty when Err refused it.
	ID     id.ID
	Status Status
	// Suspense is why it could not be rated.
	Suspense Reason
	// Charged and Uncollected are in micros.
	Charged, Uncollected int64
	Duplicate            bool
	// Err is an Invalid fault: the record is malformed or cannot be true, and nothing of it is kept.
	Err error
}

// chunk is how many records are taken in one transaction: enough to share its cost, few enough not to hold up others.
const chunk = 500

// Ingest takes records in, each rated once whatever comes again, in transactions of many. What a record lacks is
// told in its outcome; an error is that of the store, and the records of the transactions before it are in.
func (s *Service) Ingest(ctx context.Context, records []Record) ([]Outcome, error) {
	out := make([]Outcome, len(records))
	// Those of one line stand together, so that its wallet is loaded and saved as seldom as can be.
	order := make([]int, len(records))
	for n := range order {
		order[n] = n
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(strings.Compare(records[a].MSISDN, records[b].MSISDN), strings.Compare(string(records[a].Subscription), string(records[b].Subscription)))
	})
	for some := range slices.Chunk(order, chunk) {
		part := make([]Record, len(some))
		for n, at := range some {
			part[n] = records[at]
		}
		done, err := s.ingest(ctx, part, "")
		if err != nil {
			return out, err
		}
		for n, at := range some {
			out[at] = done[n]
		}
	}
	return out, nil
}

// ingest takes records in within one transaction.
func (s *Service) ingest(ctx context.Context, records []Record, file id.ID) ([]Outcome, error) {
	out := make([]Outcome, len(records))
	err := s.store.Write(ctx, func(ctx context.Context) error {
		rules, err := s.Providers.Rules(ctx)
		if err != nil {
			return err
		}
		b := &batch{Service: s, rules: rules, now: s.store.Now(ctx)}
		var at []int
		for n, r := range records {
			out[n] = Outcome{}
			e := &entry{r: r, file: file}
			if err := e.r.check(b.now, rules); err != nil {
				out[n].Err = err
				continue
			}
			if e.r.ID == "" {
				out[n].Err = fault.Invalidf("recordId", "recordId is mandatory: by it a record is known when it comes again")
				continue
			}
			b.entries = append(b.entries, e)
			at = append(at, n)
		}
		if len(at) == 0 {
			return nil
		}
		if err := b.take(ctx); err != nil {
			return err
		}
		for n, e := range b.entries {
			out[at[n]] = e.out
		}
		return nil
	})
	return out, err
}

// entry is a record on its way into the books.
type entry struct {
	r Record
	// base is the usage as a client wrote it, or as it was rated before; nil for a record.
	base *Usage
	// came is what the client wrote.
	came jsontext.Value
	file id.ID
	// unfit is why it cannot be rated whatever its line.
	unfit string
	// late takes it however old it is.
	late bool

	id    id.ID
	line  *line
	usage Usage
	out   Outcome
}

// line is a subscription with what it may spend.
type line struct {
	id     id.ID
	v      subscription.Line
	wallet *balance.Wallet
}

// batch is entries that are taken in one transaction.
type batch struct {
	*Service
	entries []*entry
	rules   provider.ServiceProvider
	now     time.Time

	lines map[id.ID]*line
	plans map[id.ID]plan
	// described are the usage specifications by usage type.
	described map[string]id.ID
	docs      []store.Doc
}

// take recognises what came before, finds lines, rates, charges and stores.
func (b *batch) take(ctx context.Context) error {
	b.lines, b.plans = map[id.ID]*line{}, map[id.ID]plan{}
	if err := b.find(ctx); err != nil {
		return err
	}
	for _, e := range b.entries {
		home := id.RandomHome()
		if e.line != nil {
			home, _ = e.line.id.Home()
		}
		e.id = id.New(Kind, home, b.now)
	}
	if err := b.recognise(ctx); err != nil {
		return err
	}
	if err := b.rate(ctx); err != nil {
		return err
	}
	return b.insert(ctx)
}

// recognise claims the records, and marks those that came before.
func (b *batch) recognise(ctx context.Context) error {
	owners := make(map[string]id.ID, len(b.entries))
	for _, e := range b.entries {
		if e.r.ID == "" {
			continue
		}
		if first, twice := owners[e.r.key()]; twice {
			e.out = Outcome{ID: first, Duplicate: true}
			continue
		}
		owners[e.r.key()] = e.id
	}
	if len(owners) == 0 {
		return nil
	}
	taken, err := b.store.ClaimAll(ctx, recordClaim, owners)
	if err != nil {
		return err
	}
	for _, e := range b.entries {
		if first, ok := taken[e.r.key()]; ok && e.r.ID != "" {
			e.out = Outcome{ID: first, Duplicate: true}
		}
	}
	return nil
}

// rate rates all that are new, in the order in which they were used, and saves what that did to the lines.
func (b *batch) rate(ctx context.Context) error {
	order := slices.Clone(b.entries)
	slices.SortStableFunc(order, func(x, y *entry) int { return x.r.Start.Compare(y.r.Start) })
	if err := b.load(ctx, order); err != nil {
		return err
	}
	for _, e := range order {
		if e.out.Duplicate {
			continue
		}
		if err := b.one(ctx, e); err != nil {
			return err
		}
	}
	return b.save(ctx)
}

// load loads the wallets of the lines that have something new.
func (b *batch) load(ctx context.Context, entries []*entry) error {
	var lines []*line
	var who []balance.Holder
	for _, e := range entries {
		if e.line == nil || e.out.Duplicate || slices.Contains(lines, e.line) {
			continue
		}
		lines = append(lines, e.line)
		who = append(who, balance.Holder{Subscription: e.line.id, Account: e.line.v.AccountID})
	}
	if len(lines) == 0 {
		return nil
	}
	wallets, err := b.Balances.Wallets(ctx, who...)
	if err != nil {
		return err
	}
	for n, w := range wallets {
		lines[n].wallet = w
	}
	return nil
}

func (b *batch) save(ctx context.Context) error {
	var wallets []*balance.Wallet
	for _, l := range b.lines {
		if l.wallet != nil {
			wallets = append(wallets, l.wallet)
		}
	}
	slices.SortFunc(wallets, func(x, y *balance.Wallet) int { return strings.Compare(string(x.Line), string(y.Line)) })
	return b.Balances.Save(ctx, wallets...)
}

// one rates one entry, or says why it cannot be.
func (b *batch) one(ctx context.Context, e *entry) error {
	e.begin(b)
	why, err := b.charge(ctx, e)
	if err != nil {
		return err
	}
	u := &e.usage
	if why != nil {
		u.Suspense, u.SuspenseText = why.reason, why.text
		u.Status = why.reason.status(e.line != nil)
	}
	e.out.ID, e.out.Status, e.out.Suspense = e.id, u.Status, u.Suspense
	return nil
}

// begin makes the usage of an entry, not rated yet.
func (e *entry) begin(b *batch) {
	if e.base != nil {
		e.usage = *e.base
	}
	u := &e.usage
	u.Charged, u.Uncollected, u.UncollectedReason, u.Balance, u.Taken, u.Paid, u.Suspense, u.SuspenseText = nil, nil, "", nil, nil, nil, "", ""
	if e.base == nil {
		u.Characteristics, u.UsageType, u.UsageDate = e.r.characteristics(), e.r.UsageType, e.r.Start
	}
	if u.Type == "" {
		u.Type = "Usage"
	}
	if u.Description == "" && e.unfit == "" {
		u.Description = e.r.describe()
	}
	u.File = e.file
	if e.line != nil {
		u.SubscriptionID = e.line.id
	}
	if spec := b.described[e.r.UsageType]; spec != "" && u.Specification == nil {
		u.Specification = &sid.Ref{ID: string(spec), Name: e.r.UsageType, ReferredType: "UsageSpecification"}
	}
}

// charge rates an entry against its line's plan and wallet, and moves what it takes. why is why it cannot be rated.
func (b *batch) charge(ctx context.Context, e *entry) (why *suspended, err error) {
	if e.unfit != "" {
		return &suspended{Incomplete, e.unfit}, nil
	}
	if why := b.admitted(e); why != nil {
		return why, nil
	}
	p, err := b.planAt(ctx, e.line.v, e.r.Start)
	if err != nil || p.why != nil {
		return p.why, err
	}
	f := b.funds(e.line, p.tariff, e.r.UsageType, e.r.Start)
	got, err := p.tariff.Rate(e.r.rated(e.line.v.IMSI), f.funds, f.purse, b.rules.Location())
	if err != nil {
		return whyNot(err, p, e), nil
	}
	if e.line.v, err = b.Subscriptions.Wake(ctx, e.line.id, e.line.v); err != nil {
		return nil, err
	}
	u := &e.usage
	c := balance.Cause{Kind: Kind.Name, ID: string(e.id), Text: u.Description, At: e.r.Start}
	if err := f.pay(e.line.wallet, c, u, got); err != nil {
		return nil, err
	}
	u.tell(got, p, b.now, e.line)
	u.Status = Rated
	if u.Ratings++; u.Ratings > 1 {
		u.Status = Rerated
	}
	e.out.Charged, e.out.Uncollected = got.Charged, got.Uncollected()
	return nil, nil
}

// funds are what a line's wallet has for a usage.
type funds struct {
	funds []rating.Fund
	held  []*balance.Held
	purse rating.Purse
	money []*balance.Held
	unit  money.Currency
}

func (b *batch) funds(l *line, t *rating.Tariff, usageType string, at time.Time) funds {
	f := funds{unit: t.Currency()}
	for _, h := range l.wallet.Held {
		left := h.Payable(at, b.now)
		if left == 0 {
			continue
		}
		switch {
		case h.Bucket.Monetary() && h.Bucket.Unit == string(f.unit):
			f.purse.Left += left
			f.money = append(f.money, h)
		case h.Bucket.UsageType == usageType:
			f.funds = append(f.funds, fund(h, left))
			f.held = append(f.held, h)
		}
	}
	if limit := l.v.MonthlySpendLimit; limit != nil {
		left := limit.Micros() - l.wallet.Spent(at, b.rules.Location())
		f.purse.Spend = &left
	}
	return f
}

// fund is a bucket as rating sees it, with what may be taken.
func fund(h *balance.Held, left int64) rating.Fund {
	f := rating.Fund{Kind: h.Bucket.UsageType, Left: left, Zones: h.Bucket.Zones, Roaming: h.Bucket.Roaming}
	if v := h.Bucket.ValidFor; v != nil && v.Start != nil {
		f.Start = v.Start.Truncate(time.Second) // usage is told in whole seconds
	}
	if v := h.Bucket.ValidFor; v != nil && v.End != nil {
		f.End = *v.End
	}
	return f
}

// pay moves what a result takes out of a wallet, and notes it in the usage.
func (f *funds) pay(w *balance.Wallet, c balance.Cause, u *Usage, r rating.Result) error {
	var moves []balance.Movement
	for _, take := range r.Takes() {
		h := f.held[take.Fund]
		moves = append(moves, balance.Movement{Bucket: h.ID, Amount: -take.Units, Against: balance.Used})
		u.Taken = append(u.Taken, Taken{Bucket: h.ID, Name: h.Bucket.Name, Amount: take.Units, Units: h.Bucket.Unit})
	}
	if len(moves) > 0 {
		if err := w.Move(c, moves...); err != nil {
			return err
		}
	}
	for _, p := range f.split(w, c.At, r.Charged, r.ChargedTax) {
		if err := w.Charge(c, p.held, p.gross, p.tax, true); err != nil {
			return err
		}
		u.Paid = append(u.Paid, Taken{Bucket: p.held.ID, Name: p.held.Bucket.Name, Amount: p.gross, Tax: p.tax, Units: p.held.Bucket.Unit})
	}
	return nil
}

// payment is what one money bucket pays.
type payment struct {
	held       *balance.Held
	gross, tax int64
}

// split spreads a price over the money buckets in their order; the last pays what rounding leaves of the tax.
func (f *funds) split(w *balance.Wallet, at time.Time, gross, tax int64) (out []payment) {
	for _, h := range f.money {
		if gross == 0 {
			break
		}
		p := payment{held: h, gross: min(gross, h.Payable(at, w.Now))}
		if p.tax = tax; p.gross < gross {
			p.tax = rating.Share(tax, p.gross, gross)
		}
		gross, tax = gross-p.gross, tax-p.tax
		out = append(out, p)
	}
	return out
}

// tell writes a result into the usage.
func (v *Usage) tell(r rating.Result, p plan, now time.Time, l *line) {
	c := p.tariff.Currency()
	charged := money.OfMicros(r.Charged, c)
	v.Charged = &charged
	if r.Short != "" {
		over := money.OfMicros(r.Uncollected(), c)
		v.Uncollected, v.UncollectedReason = &over, r.Short
	}
	if h := l.wallet.Money(); h != nil {
		left := money.OfMicros(h.Left, money.Currency(h.Bucket.Unit))
		v.Balance = &left
	}
	no := false
	v.Rated = make([]RatedUsage, 0, max(len(r.Parts), 1))
	for _, part := range r.Parts {
		gross, net := money.OfMicros(part.Gross, c), money.OfMicros(part.Gross-part.Tax, c)
		at := part.At.UTC()
		one := RatedUsage{
			RatingDate: now.Truncate(time.Second), AmountType: "Total", TariffType: "Normal", IsBilled: &no, IsTaxExempt: &no,
			TaxIncluded: &gross, TaxExcluded: &net, TaxRate: jsontext.Value(part.TaxRate()), Product: &sid.Ref{ID: string(l.id), Name: p.name},
			Rate: part.Rate, From: &at, Units: part.Units, Included: part.Included(), Free: part.Free, Tag: TagUsage,
		}
		switch {
		case one.Included > 0 && part.Charged == 0:
			one.Tag = TagIncluded
		case one.Included > 0:
			one.Tag = TagNotIncluded
		}
		v.Rated = append(v.Rated, one)
	}
	if len(v.Rated) == 0 {
		zero := money.OfMicros(0, c)
		v.Rated = append(v.Rated, RatedUsage{
			RatingDate: now.Truncate(time.Second), AmountType: "Total", TariffType: "Normal", IsBilled: &no, IsTaxExempt: &no, Tag: TagUsage,
			TaxIncluded: &zero, TaxExcluded: &zero, Product: &sid.Ref{ID: string(l.id), Name: p.name},
		})
	}
}

// insert stores the usages, and tells those who listen.
func (b *batch) insert(ctx context.Context) error {
	drafts := make([]store.Draft, 0, len(b.entries))
	for _, e := range b.entries {
		if e.out.Duplicate {
			continue
		}
		body, err := json.Marshal(&e.usage, json.Deterministic(true))
		if err != nil {
			return fault.Internalf(err, "a usage cannot be written")
		}
		drafts = append(drafts, store.Draft{ID: e.id, Body: resource.Kept(e.came, body)})
	}
	if len(drafts) == 0 {
		return nil
	}
	var err error
	if b.docs, err = b.Usages.InsertMany(ctx, drafts); err != nil {
		return err
	}
	for _, d := range b.docs {
		if err := b.emit(ctx, event.Create, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) emit(ctx context.Context, v event.Verb, d store.Doc) error {
	return s.store.Emit(ctx, event.Event{
		Type: event.TypeOf(Kind.Name, v), Domain: domain, Resource: Kind.Name, Subject: d.ID, Document: d.Body, Quiet: true,
	})
}

func decode(body jsontext.Value, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fault.Invalidf("", "the body cannot be read as a usage").Because(err)
	}
	return nil
}
