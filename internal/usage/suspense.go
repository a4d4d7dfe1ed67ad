package usage

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/store"
)

// Reason is why usage is in suspense.
type Reason string

// The reasons.
const (
	// Incomplete lacks what it would be rated by, or is of a type that is not rated.
	Incomplete Reason = "incomplete"
	// UnknownNumber is of a number that no line had at the time.
	UnknownNumber Reason = "unknownNumber"
	// LineNotActive is of a line that the network should not have served.
	LineNotActive Reason = "lineNotActive"
	NoPlan        Reason = "noPlan"
	NoTariff      Reason = "noTariff"
	// NoRate is what the plan's tariff has no rate for.
	NoRate Reason = "noRate"
	// TooOld came later than the service provider takes usage (policy usageMaxAgeDays); rated again, it is taken.
	TooOld Reason = "tooOld"
	// Unrateable has a price that is beyond all range.
	Unrateable Reason = "unrateable"
)

// Reasons are all reasons of suspense.
var Reasons = []Reason{Incomplete, UnknownNumber, LineNotActive, NoPlan, NoTariff, NoRate, TooOld, Unrateable}

// suspended is a reason with its words.
type suspended struct {
	reason Reason
	text   string
}

// status is that of usage in suspense.
func (r Reason) status(guided bool) Status {
	switch {
	case r == TooOld:
		return Rejected
	case guided:
		return Guided
	}
	return Received
}

const jobRerate = "usage.rerate"

// Suspense lists what could not be rated, the oldest first: of one reason, or of all when it is empty.
func (s *Service) Suspense(ctx context.Context, reason Reason, offset, limit int) (store.Page, error) {
	f := store.Filter{Path: []string{"suspenseReason"}, Op: store.Eq, Values: []string{string(reason)}, Type: store.Text}
	if reason == "" {
		f.Values = nil
		for _, r := range Reasons {
			f.Values = append(f.Values, string(r))
		}
	}
	return s.Usages.Docs(ctx, store.Query{Filters: []store.Filter{f}, Offset: offset, Limit: limit})
}

// Rerate rates a usage again: one in suspense as if it came now, however old it is; one that was charged after what
// it took was given back. Usage that is billed is a Conflict fault (CodeState).
func (s *Service) Rerate(ctx context.Context, i id.ID) (store.Doc, error) {
	var d store.Doc
	err := s.store.Write(ctx, func(ctx context.Context) error {
		v, was, err := s.Usages.Get(ctx, i)
		if err != nil {
			return err
		}
		if v.Status == Billed {
			return fault.Conflictf(CodeState, "usage that is billed is not rated again")
		}
		if v.Session != "" {
			return fault.Conflictf(CodeState, "the usage was charged while its session lasted: it is not rated again")
		}
		d, err = s.rerate(ctx, v, was)
		return err
	})
	return d, err
}

func (s *Service) rerate(ctx context.Context, v Usage, was store.Doc) (store.Doc, error) {
	rules, err := s.Providers.Rules(ctx)
	if err != nil {
		return was, err
	}
	e := &entry{base: &v, id: was.ID, file: v.File, late: true}
	b := &batch{Service: s, entries: []*entry{e}, rules: rules, now: s.store.Now(ctx), lines: map[id.ID]*line{}, plans: map[id.ID]plan{}}
	if e.r, err = recordOf(&v); err == nil {
		err = e.r.check(b.now, rules)
	}
	if err != nil {
		if fault.KindOf(err) != fault.Invalid {
			return was, err
		}
		e.unfit = fault.From(err).Message
	}
	if !v.Status.charged() && e.r.MSISDN != "" {
		e.r.Subscription = "" // its number may be another line's now
	}
	if err := b.find(ctx); err != nil {
		return was, err
	}
	if err := b.load(ctx, b.entries); err != nil {
		return was, err
	}
	if e.line != nil {
		if err := giveBack(e.line.wallet, e.id, v); err != nil {
			return was, err
		}
	}
	if err := b.one(ctx, e); err != nil {
		return was, err
	}
	if e.usage.Suspense != "" {
		e.usage.Status = Recycled
		if v.Status.charged() {
			e.usage.Rated = nil
		}
	}
	if err := b.save(ctx); err != nil {
		return was, err
	}
	body, err := json.Marshal(&e.usage, json.Deterministic(true))
	if err != nil {
		return was, fault.Internalf(err, "a usage cannot be written")
	}
	d, err := s.Usages.UpdateEncoded(ctx, was.ID, was.Version, body)
	if err != nil {
		return was, err
	}
	verb := event.Change
	if e.usage.Status != v.Status {
		verb = event.State
	}
	return d, s.emit(ctx, verb, d)
}

// giveBack undoes what a usage took. What came out of a bucket that has ended since would have lapsed with it.
func giveBack(w *balance.Wallet, i id.ID, v Usage) error {
	c := balance.Cause{Kind: Kind.Name, ID: string(i), Text: "Given back, to be rated again: " + v.Description, At: v.UsageDate}
	var moves []balance.Movement
	for _, t := range v.Taken {
		if h := w.Find(t.Bucket); h != nil && h.Bucket.Status == balance.Active {
			moves = append(moves, balance.Movement{Bucket: t.Bucket, Amount: t.Amount, Against: balance.Used})
		}
	}
	if len(moves) > 0 {
		if err := w.Move(c, moves...); err != nil {
			return err
		}
	}
	for _, t := range v.Paid {
		if h := w.Find(t.Bucket); h != nil && h.Bucket.Status == balance.Active {
			if err := w.Charge(c, h, -t.Amount, -t.Tax, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// rerateJob is the payload of the job that rates suspense again, from where it stands.
type rerateJob struct {
	Reason Reason `json:"reason"`
	After  id.ID  `json:"after,omitzero"`
}

// atOnce is how many usages a job rates again in one transaction.
const atOnce = 100

// RerateSuspense promises to rate all that is in suspense for a reason again, or all of it when the reason is empty, and says how much that is
// now.
func (s *Service) RerateSuspense(ctx context.Context, reason Reason) (count int64, err error) {
	if reason != "" && !slices.Contains(Reasons, reason) {
		return 0, fault.Invalidf("reason", "%q is no reason of suspense: %v", reason, Reasons)
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		page, err := s.Suspense(ctx, reason, 0, 1)
		if err != nil {
			return err
		}
		if count = page.Total; count == 0 {
			return nil
		}
		return s.promise(ctx, rerateJob{Reason: reason})
	})
	return count, err
}

func (s *Service) promise(ctx context.Context, j rerateJob) error {
	payload, err := json.Marshal(j)
	if err != nil {
		return fault.Internalf(err, "a job cannot be written")
	}
	_, err = s.store.Enqueue(ctx, id.HomeOf(jobRerate), job.Job{Kind: jobRerate, Key: string(j.Reason) + "/" + string(j.After), Payload: payload})
	return err
}

// rerateSome rates the next of what is in suspense again and promises the rest.
func (s *Service) rerateSome(ctx context.Context, j job.Job) error {
	var p rerateJob
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return job.Permanent{Err: err}
	}
	q := store.Query{NoTotal: true, Limit: atOnce, Sort: []store.Sort{{Path: []string{"id"}, Type: store.Text}}}
	values := []string{string(p.Reason)}
	if p.Reason == "" {
		values = nil
		for _, r := range Reasons {
			values = append(values, string(r))
		}
	}
	q.Filters = []store.Filter{{Path: []string{"suspenseReason"}, Op: store.Eq, Values: values, Type: store.Text}}
	if p.After != "" {
		q.Filters = append(q.Filters, store.Filter{Path: []string{"id"}, Op: store.Gt, Values: []string{string(p.After)}, Type: store.Text})
	}
	page, err := s.Usages.Docs(ctx, q)
	if err != nil {
		return err
	}
	for _, d := range page.Items {
		if _, err := s.Rerate(ctx, d.ID); err != nil {
			return err
		}
		p.After = d.ID
	}
	if len(page.Items) < atOnce {
		return nil
	}
	return s.promise(ctx, p)
}
