package balance

import (
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
)

// AccumulatedKind is the kind of accumulated balances; their ids are made of what they add up.
var AccumulatedKind = id.Kind{Name: "accumulatedBalance", Prefix: "acb"}

// mostAccumulated is how many buckets are added up for who does not say whose.
const mostAccumulated = 20_000

// Accumulated is what lines may spend in all, by usage type and unit (TMF654 AccumulatedBalance): the sum of the
// buckets that a line has and those that its account shares. An id is line, usage type and unit, with points between.
type Accumulated struct {
	readOnly
	s *Service
}

// Accumulated are the accumulated balances.
func (s *Service) Accumulated() Accumulated { return Accumulated{readOnly{AccumulatedKind}, s} }

// accumulated is one of them as it is shown.
type accumulated struct {
	Type            string       `json:"@type"`
	Name            string       `json:"name"`
	Description     string       `json:"description"`
	UsageType       string       `json:"usageType"`
	Bucket          []sid.Ref    `json:"bucket"`
	LogicalResource *sid.Ref     `json:"logicalResource,omitzero"`
	PartyAccount    *sid.Ref     `json:"partyAccount,omitzero"`
	Product         []sid.Ref    `json:"product"`
	Total           sid.Quantity `json:"totalBalance"`
	Reserved        sid.Quantity `json:"reservedBalance"`
}

var usageNames = map[string]string{Monetary: "Money", Voice: "Voice", Data: "Data", SMS: "Messages", Other: "Other"}

// Doc implements resource.Any.
func (a Accumulated) Doc(ctx context.Context, i id.ID) (d store.Doc, err error) {
	none := fault.NotFoundf("there is no %s %.64s", AccumulatedKind.Name, string(i))
	line, _, _ := strings.Cut(string(i), ".")
	err = a.s.store.Snapshot(ctx, func(ctx context.Context) error {
		who, err := a.s.parts.Line(ctx, line)
		if k := fault.KindOf(err); k == fault.NotFound || k == fault.Invalid || err == nil && string(who.Subscription) != line {
			return none
		}
		if err != nil {
			return err
		}
		docs, err := a.of(ctx, []Holder{who})
		if err != nil {
			return err
		}
		n := slices.IndexFunc(docs, func(d store.Doc) bool { return d.ID == i })
		if n < 0 {
			return none
		}
		d = docs[n]
		return nil
	})
	return d, err
}

// Docs implements resource.Any. Without a filter that says whose (by id, product, bucket, party account or logical
// resource), more than 20,000 buckets are a Limit fault (store.CodeTooCostly).
func (a Accumulated) Docs(ctx context.Context, q store.Query) (p store.Page, err error) {
	err = a.s.store.Snapshot(ctx, func(ctx context.Context) error {
		who, err := a.holders(ctx, q.Filters)
		if err != nil {
			return err
		}
		docs, err := a.of(ctx, who)
		if err != nil {
			return err
		}
		if docs, err = matching(docs, q.Filters); err != nil {
			return err
		}
		slices.SortFunc(docs, func(x, y store.Doc) int { return strings.Compare(string(x.ID), string(y.ID)) })
		if err := sorted(docs, q.Sort); err != nil {
			return err
		}
		p = part(docs, q)
		return nil
	})
	return p, err
}

// holders are the lines that filters may be about.
func (a Accumulated) holders(ctx context.Context, filters []store.Filter) ([]Holder, error) {
	for _, f := range filters {
		if f.Op != store.Eq {
			continue
		}
		var who []Holder
		var err error
		switch strings.Join(f.Path, ".") {
		case "id":
			for _, v := range f.Values {
				line, _, _ := strings.Cut(v, ".")
				if who, err = a.add(ctx, who, line); err != nil {
					return nil, err
				}
			}
		case "product.id", "logicalResource.id":
			for _, v := range f.Values {
				if who, err = a.add(ctx, who, v); err != nil {
					return nil, err
				}
			}
		case "bucket.id":
			for _, v := range f.Values {
				b, _, err := a.s.Buckets.Get(ctx, id.ID(v))
				if fault.KindOf(err) == fault.NotFound {
					continue
				}
				if err != nil {
					return nil, err
				}
				if who, err = a.add(ctx, who, string(b.holder(id.ID(v)))); err != nil {
					return nil, err
				}
			}
		case "partyAccount.id":
			for _, v := range f.Values {
				lines, err := a.s.parts.Lines(ctx, id.ID(v))
				if err != nil {
					return nil, err
				}
				who = append(who, lines...)
			}
		default:
			continue
		}
		return who, nil
	}
	return a.everyone(ctx)
}

func (a Accumulated) add(ctx context.Context, who []Holder, text string) ([]Holder, error) {
	if id.ID(text).Is(BucketKind) { // one that has no line
		return append(who, Holder{Subscription: id.ID(text)}), nil
	}
	h, err := a.s.parts.Line(ctx, text)
	if k := fault.KindOf(err); k == fault.NotFound || k == fault.Invalid {
		return who, nil
	}
	return append(who, h), err
}

func (a Accumulated) everyone(ctx context.Context) ([]Holder, error) {
	page, err := a.s.Buckets.Docs(ctx, store.Query{Limit: mostAccumulated + 1, NoTotal: true})
	if err != nil {
		return nil, err
	}
	if len(page.Items) > mostAccumulated {
		return nil, fault.New(fault.Limit, store.CodeTooCostly, "there are too many balances to add up at once: filter by product.id, partyAccount.id, logicalResource.id or bucket.id")
	}
	var who []Holder
	seen := map[id.ID]bool{}
	for _, d := range page.Items {
		var b struct {
			Line    id.ID    `json:"subscriptionId"`
			Account *sid.Ref `json:"partyAccount"`
		}
		if err := json.Unmarshal(d.Body, &b); err != nil {
			return nil, fault.Internalf(err, "the stored bucket %s cannot be read", d.ID)
		}
		if b.Line == "" {
			b.Line = d.ID
		}
		if seen[b.Line] {
			continue
		}
		seen[b.Line] = true
		h := Holder{Subscription: b.Line}
		if b.Account != nil {
			h.Account = id.ID(b.Account.ID)
		}
		who = append(who, h)
	}
	return who, nil
}

// of adds up what lines may spend.
func (a Accumulated) of(ctx context.Context, who []Holder) ([]store.Doc, error) {
	if len(who) == 0 {
		return nil, nil
	}
	slices.SortFunc(who, func(x, y Holder) int { return strings.Compare(string(x.Subscription), string(y.Subscription)) })
	who = slices.CompactFunc(who, func(x, y Holder) bool { return x.Subscription == y.Subscription })
	var docs []store.Doc
	for part := range slices.Chunk(who, 200) {
		ws, err := a.s.Wallets(ctx, part...)
		if err != nil {
			return nil, err
		}
		for i, w := range ws {
			more, err := w.accumulate(part[i])
			if err != nil {
				return nil, err
			}
			docs = append(docs, more...)
		}
	}
	return docs, nil
}

func (w *Wallet) accumulate(who Holder) (docs []store.Doc, err error) {
	type sum struct {
		accumulated
		total, reserved int64
		unit            string
	}
	sums := map[string]*sum{}
	var order []string
	for _, h := range w.Held {
		b := h.Bucket
		if !b.Spendable(w.Now) {
			continue
		}
		k := b.UsageType + "." + b.Unit
		v := sums[k]
		if v == nil {
			v = &sum{unit: b.Unit}
			v.Type, v.UsageType, v.Name, v.Product = "AccumulatedBalance", b.UsageType, usageNames[b.UsageType], []sid.Ref{{ID: string(w.Line)}}
			if w.Line.Is(BucketKind) {
				v.Product = b.Product
			}
			v.Description = "All that the line may spend of " + b.UsageType
			if w.Account != "" {
				v.PartyAccount = &sid.Ref{ID: string(w.Account)}
			}
			if who.Number != "" {
				v.LogicalResource = &sid.Ref{ID: who.Number, ReferredType: "MSISDN"}
			}
			sums[k], order = v, append(order, k)
		}
		v.Bucket = append(v.Bucket, sid.Ref{ID: string(h.ID), Name: b.Name})
		if v.total, err = plus(v.total, h.Left); err != nil {
			return nil, err
		}
		v.reserved += h.Reserved()
	}
	for _, k := range order {
		v := sums[k]
		v.Total, v.Reserved = Quantity(v.unit, v.total), Quantity(v.unit, v.reserved)
		body, err := json.Marshal(v.accumulated, json.Deterministic(true))
		if err != nil {
			return nil, fault.Internalf(err, "an accumulated balance cannot be written")
		}
		docs = append(docs, store.Doc{ID: w.Line + id.ID("."+k), Version: 1, Created: w.Now, Updated: w.Now, Body: body})
	}
	return docs, nil
}
