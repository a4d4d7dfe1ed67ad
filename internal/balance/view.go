package balance

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/store/filter"
)

// readOnly refuses to change what is only reckoned.
type readOnly struct{ kind id.Kind }

// Kind implements resource.Any.
func (r readOnly) Kind() id.Kind { return r.kind }

func (r readOnly) refuse() error {
	return fault.New(fault.Unsupported, "readOnly", "a %s is reckoned from the buckets and what moved them: it is only read", r.kind.Name)
}

// Create implements resource.Any.
func (r readOnly) Create(context.Context, jsontext.Value) (store.Doc, error) {
	return store.Doc{}, r.refuse()
}

// Patch implements resource.Any.
func (r readOnly) Patch(context.Context, id.ID, int64, func(jsontext.Value) (jsontext.Value, error)) (store.Doc, error) {
	return store.Doc{}, r.refuse()
}

// Delete implements resource.Any.
func (r readOnly) Delete(context.Context, id.ID, int64) error { return r.refuse() }

// matching keeps the documents that all filters match; an id is matched by itself.
func matching(docs []store.Doc, filters []store.Filter) ([]store.Doc, error) {
	for _, f := range filters {
		byID := len(f.Path) == 1 && f.Path[0] == "id"
		c, err := filter.Compile(f)
		if err != nil {
			return nil, err
		}
		docs = slices.DeleteFunc(docs, func(d store.Doc) bool {
			if byID {
				return !c.Match(jsontext.Value(`{"id":"` + string(d.ID) + `"}`))
			}
			return !c.Match(d.Body)
		})
	}
	return docs, nil
}

// sorted puts documents in an order, what has no value last, and leaves equal ones as they stand.
func sorted(docs []store.Doc, by []store.Sort) error {
	for _, s := range by {
		if err := s.Check(); err != nil {
			return err
		}
	}
	keys := map[id.ID][][]byte{}
	for _, d := range docs {
		all := make([][]byte, len(by))
		for i, s := range by {
			if all[i] = s.Key(d.Body); len(s.Path) == 1 && s.Path[0] == "id" {
				all[i] = []byte(d.ID)
			}
		}
		keys[d.ID] = all
	}
	slices.SortStableFunc(docs, func(a, b store.Doc) int {
		for i, s := range by {
			if n := compareKeys(keys[a.ID][i], keys[b.ID][i], s.Desc); n != 0 {
				return n
			}
		}
		return 0
	})
	return nil
}

func compareKeys(a, b []byte, desc bool) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a == nil), btoi(b == nil))
	case desc:
		return bytes.Compare(b, a)
	}
	return bytes.Compare(a, b)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// part cuts a page out of a list.
func part(docs []store.Doc, q store.Query) store.Page {
	p := store.Page{Total: int64(len(docs))}
	from := min(q.Offset, len(docs))
	to := len(docs)
	if q.Limit > 0 {
		to = min(from+q.Limit, to)
	}
	p.Items = docs[from:to]
	return p
}

// HistoryKind is the kind of the entries of the history of actions; their ids are those of the tasks.
var HistoryKind = id.Kind{Name: "balanceActionHistory", Prefix: "bah"}

// Actions is everything that was asked of balances (TMF654 BalanceActionHistory): top-ups, adjustments, reservations and
// transfers, under the ids of those.
type Actions struct {
	readOnly
	s *Service
}

// Actions are the history of actions.
func (s *Service) Actions() Actions { return Actions{readOnly{HistoryKind}, s} }

// kindOfTask is one of the collections behind the history.
type kindOfTask struct {
	kind id.Kind
	docs func(context.Context, store.Query) (store.Page, error)
	doc  func(context.Context, id.ID) (store.Doc, error)
}

func (a Actions) tasks() []kindOfTask {
	s := a.s
	return []kindOfTask{
		{TopupKind, s.Topups.Docs, s.Topups.Doc}, {AdjustKind, s.Adjustments.Docs, s.Adjustments.Doc},
		{ReserveKind, s.Reservations.Docs, s.Reservations.Doc}, {TransferKind, s.Transfers.Docs, s.Transfers.Doc},
	}
}

// Doc implements resource.Any.
func (a Actions) Doc(ctx context.Context, i id.ID) (store.Doc, error) {
	kind, d, err := a.find(ctx, i)
	if err != nil {
		return d, err
	}
	return action(kind, d)
}

// find is a task as it is stored.
func (a Actions) find(ctx context.Context, i id.ID) (id.Kind, store.Doc, error) {
	for _, k := range a.tasks() {
		if i.Is(k.kind) {
			d, err := k.doc(ctx, i)
			return k.kind, d, err
		}
	}
	return id.Kind{}, store.Doc{}, fault.NotFoundf("there is no %s %.64s", HistoryKind.Name, string(i))
}

// Docs implements resource.Any. What is asked of @type and actionType is asked of the kinds of tasks.
func (a Actions) Docs(ctx context.Context, q store.Query) (store.Page, error) {
	ask := store.Query{Sort: q.Sort, NoTotal: q.NoTotal}
	if q.Limit > 0 {
		ask.Limit = q.Offset + q.Limit
	}
	var kinds []store.Filter
	for _, f := range q.Filters {
		if len(f.Path) == 1 && (f.Path[0] == "@type" || f.Path[0] == "actionType") {
			kinds = append(kinds, f)
		} else {
			ask.Filters = append(ask.Filters, f)
		}
	}
	var total int64
	var docs []store.Doc
	err := a.s.store.Snapshot(ctx, func(ctx context.Context) error {
		docs, total = nil, 0
		for _, k := range a.tasks() {
			if ok, err := k.fits(kinds); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
			page, err := k.docs(ctx, ask)
			if err != nil {
				return err
			}
			total += page.Total
			for _, d := range page.Items {
				if d, err = action(k.kind, d); err != nil {
					return err
				}
				docs = append(docs, d)
			}
		}
		return nil
	})
	if err != nil {
		return store.Page{}, err
	}
	// Ids sort by the time they were made, whatever their kind.
	slices.SortStableFunc(docs, func(x, y store.Doc) int { return strings.Compare(string(x.ID[4:]), string(y.ID[4:])) })
	if err := sorted(docs, q.Sort); err != nil {
		return store.Page{}, err
	}
	p := part(docs, q)
	if p.Total = total; q.NoTotal {
		p.Total = -1
	}
	return p, nil
}

func (k kindOfTask) fits(filters []store.Filter) (bool, error) {
	body := jsontext.Value(`{"@type":"BalanceActionHistory","actionType":"` + k.kind.Name + `"}`)
	fit, err := matching([]store.Doc{{Body: body}}, filters)
	return len(fit) == 1, err
}

// action shows a task as an entry of the history.
func action(kind id.Kind, d store.Doc) (store.Doc, error) {
	var v map[string]jsontext.Value
	if err := json.Unmarshal(d.Body, &v); err != nil {
		return d, fault.Internalf(err, "the stored %s cannot be read", d.ID)
	}
	v["@type"] = jsontext.Value(`"BalanceActionHistory"`)
	v["actionType"] = jsontext.Value(`"` + kind.Name + `"`)
	if v["receiverLogicalResource"] == nil { // the standard has it mandatory, and only transfers have a receiver
		var t Task
		if err := json.Unmarshal(d.Body, &t); err != nil {
			return d, fault.Internalf(err, "the stored %s cannot be read", d.ID)
		}
		r, err := json.Marshal(t.receives())
		if err != nil {
			return d, fault.Internalf(err, "the %s cannot be shown", d.ID)
		}
		v["receiverLogicalResource"] = r
	}
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return d, fault.Internalf(err, "the %s cannot be shown", d.ID)
	}
	d.Body = body
	return d, nil
}

// receives is the resource that a task's amount was for, as far as it is known.
func (t Task) receives() map[string]string {
	switch {
	case len(t.LogicalResource) > 0:
		return map[string]string{"id": t.LogicalResource[0].ID}
	case t.SubscriptionID != "":
		return map[string]string{"id": string(t.SubscriptionID)}
	case t.Bucket != nil:
		return map[string]string{"id": t.Bucket.ID}
	}
	return map[string]string{"id": "unknown"}
}
