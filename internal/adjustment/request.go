package adjustment

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// Order is an adjustment that is asked for.
type Order struct {
	// Account and Line are whose balance it is: the line is the account's.
	Account, Line id.ID
	// Bundle says that an allowance is meant, and not money.
	Bundle bool
	Asked
	// Reference is the client's own name for it, unique at the line; may be empty. The same name again with the same
	// content is the same adjustment.
	Reference string
}

const (
	longestNote      = 1000
	longestReference = 69
	// mostAtOnce bounds what the ledger is asked to move at once, in its units.
	mostAtOnce = 1e15
)

// Request asks for an adjustment. What needs no approval is carried out at once, and refused like any other change when
// it cannot be; what needs one waits. again says that it was asked for before, under the same reference. Faults:
// Invalid; NotFound; Forbidden (CodeNotAllowed); Conflict (CodeReason, CodeAboveLimit, CodeReference, CodeLine, and those
// of balance.Wallet.Move).
func (s *Service) Request(ctx context.Context, o Order) (d store.Doc, v Adjustment, again bool, err error) {
	if err := o.check(); err != nil {
		return d, v, false, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if d, v, err = s.asked(ctx, o); err != nil {
			return err
		}
		if again = d.ID != ""; again {
			return nil
		}
		_, d, err = s.Adjustments.Add(ctx, &Adjustment{
			AccountID: o.Account, SubscriptionID: o.Line, Asked: o.Asked, Bundle: o.Bundle, Reference: o.Reference,
		})
		if err != nil {
			return err
		}
		v = Adjustment{}
		return read(d, &v)
	})
	return d, v, again, err
}

func read(d store.Doc, v *Adjustment) error {
	if err := json.Unmarshal(d.Body, v); err != nil {
		return fault.Internalf(err, "the stored adjustment %s cannot be read", d.ID)
	}
	return nil
}

func (o Order) check() error {
	var wrong fault.Several
	if o.Line == "" {
		wrong.Invalidf("subscriptionId", "subscriptionId is mandatory")
	}
	if len(o.Reference) > longestReference {
		wrong.Invalidf("externalTransactionNumber", "a reference has at most %d characters", longestReference)
	}
	o.Asked.check(&wrong)
	return wrong.Err()
}

func (a Asked) check(wrong *fault.Several) {
	if len(a.Amount.Amount) == 0 {
		wrong.Invalidf("amount", "amount is mandatory: how much is given or, below 0, taken")
	}
	if a.Reason == "" {
		wrong.Invalidf("reasonCode", "reasonCode is mandatory")
	}
	if len(a.Note) > longestNote {
		wrong.Invalidf("csrInput", "csrInput has at most %d characters", longestNote)
	}
}

// asked finds what was asked for before under the order's reference.
func (s *Service) asked(ctx context.Context, o Order) (d store.Doc, v Adjustment, err error) {
	if o.Reference == "" {
		return d, v, nil
	}
	i, err := s.store.Claimant(ctx, referenceClaim, referenceOf(o.Line, o.Reference))
	if err != nil || i == "" {
		return d, v, err
	}
	if v, d, err = s.Adjustments.Get(ctx, i); err != nil {
		return d, v, err
	}
	first := v.First
	if first == nil {
		first = &v.Asked
	}
	now := o.Asked
	if now.BucketID == "" {
		now.BucketID = first.BucketID
	}
	if now.UsageType == "" {
		now.UsageType = first.UsageType
	}
	if v.AccountID != o.Account || v.Bundle != o.Bundle || !now.same(*first, v.Unit) {
		return store.Doc{}, v, fault.Conflictf(CodeReference, "the reference %s came before with other content", short(o.Reference)).At("externalTransactionNumber")
	}
	return d, v, nil
}

// same reports whether the same is asked for, of a balance in a unit.
func (a Asked) same(b Asked, unit string) bool {
	m, err := balance.Count(unit, a.Amount)
	n, other := balance.Count(unit, b.Amount)
	return err == nil && other == nil && m == n && a.BucketID == b.BucketID && a.UsageType == b.UsageType && a.Reason == b.Reason && a.Note == b.Note
}

func referenceOf(line id.ID, reference string) string { return string(line) + "/" + reference }

// begin completes a request, and carries it out or has it wait.
func (s *Service) begin(ctx context.Context, i id.ID, v *Adjustment, now time.Time) error {
	who, claims, err := actor(ctx)
	if err != nil {
		return err
	}
	p, rules, err := s.policy(ctx)
	if err != nil {
		return err
	}
	l, err := s.line(ctx, v)
	if err != nil {
		return err
	}
	v.Type, v.MobileNumber, v.RequestedBy, v.RequestedDate, v.Roles = "Adjustment", string(l.MSISDN), who, now, spoken(p, claims.Roles)
	v.enter(Created, now, who, "")
	w, err := s.target(ctx, v)
	if err != nil {
		return err
	}
	if err := reasonable(p, v.Asked, v.Count); err != nil {
		return err
	}
	most, err := mayAsk(p, v, claims.Roles)
	if err != nil {
		return err
	}
	if v.Reference != "" {
		if err := s.store.Claim(ctx, referenceClaim, referenceOf(v.SubscriptionID, v.Reference), i); err != nil {
			return err
		}
	}
	free, err := s.free(ctx, v.SubscriptionID, most, v.Count, now, rules.Location())
	if err != nil {
		return err
	}
	if !free {
		v.wait(p, now, who)
		return nil
	}
	if err := s.move(ctx, i, v, w); err != nil {
		return err
	}
	v.Completion = &now
	v.enter(Completed, now, who, "")
	return nil
}

// line is the line that is meant, fit to be adjusted.
func (s *Service) line(ctx context.Context, v *Adjustment) (subscription.Line, error) {
	l, _, err := s.Subscriptions.Lines.Get(ctx, v.SubscriptionID)
	if err != nil {
		return l, err
	}
	if v.AccountID == "" {
		v.AccountID = l.AccountID
	}
	if l.AccountID != v.AccountID {
		return l, fault.Conflictf(CodeLine, "the subscription belongs to another account").At("accountID")
	}
	if l.State.Ended() {
		return l, fault.Conflictf(CodeLine, "the subscription is %s: it has no balance any more", l.State).At("subscriptionId")
	}
	return l, nil
}

// target finds the balance that is meant in the line's wallet, and how much of it.
func (s *Service) target(ctx context.Context, v *Adjustment) (*balance.Wallet, error) {
	w, err := s.Balances.Wallet(ctx, v.SubscriptionID)
	if err != nil {
		return nil, err
	}
	h, err := pick(w, v)
	if err != nil {
		return nil, err
	}
	if v.Bundle == h.Bucket.Monetary() {
		return nil, fault.Invalidf("bundleAdjustment", "the balance %s is of %s: bundleAdjustment says otherwise", h.Bucket.Name, h.Bucket.UsageType)
	}
	n, err := balance.Count(h.Bucket.Unit, v.Amount)
	if err != nil {
		return nil, fault.New(fault.Invalid, balance.CodeUnit, "%s", fault.From(err).Message).At("amount")
	}
	switch c := money.Currency(h.Bucket.Unit); {
	case n == 0:
		return nil, fault.Invalidf("amount", "an adjustment gives something, or takes something")
	case c.Valid() && money.OfMicros(n, c).Round().Micros() != n:
		return nil, fault.Invalidf("amount", "an amount of %s has at most %d decimals", c, c.Digits())
	case n > mostAtOnce || n < -mostAtOnce:
		return nil, fault.Invalidf("amount", "the amount is out of range")
	}
	v.BucketID, v.BucketName, v.UsageType, v.Unit, v.Count = h.ID, h.Bucket.Name, h.Bucket.UsageType, h.Bucket.Unit, n
	return w, nil
}

func pick(w *balance.Wallet, v *Adjustment) (*balance.Held, error) {
	if v.BucketID != "" {
		h := w.Find(v.BucketID)
		if h == nil {
			return nil, fault.Conflictf(balance.CodeNotActive, "the subscription has no balance %s, or it has ended", short(string(v.BucketID))).At("bucketID")
		}
		if v.UsageType != "" && v.UsageType != h.Bucket.UsageType {
			return nil, fault.Conflictf(balance.CodeUnit, "the balance %s is for %s", h.Bucket.Name, h.Bucket.UsageType).At("usageType")
		}
		return h, nil
	}
	if !v.Bundle {
		if h := w.Money(); h != nil {
			return h, nil
		}
		return nil, fault.Conflictf(balance.CodeNoMoney, "the subscription has no active money balance").At("subscriptionId")
	}
	if v.UsageType == "" {
		return nil, fault.Invalidf("usageType", "say which allowance is adjusted: usageType or bucketID")
	}
	for _, h := range w.Held {
		if h.Bucket.UsageType == v.UsageType && h.Bucket.Spendable(w.Now) && measures(v.Amount.Units, h.Bucket.Unit) {
			return h, nil
		}
	}
	return nil, fault.Conflictf(balance.CodeNoBucket, "the subscription has no active balance for %s in %s", short(v.UsageType), short(v.Amount.Units)).At("usageType")
}

// mayAsk refuses more than a caller's roles let ask for.
func mayAsk(p provider.AdjustmentPolicy, v *Adjustment, roles []string) (Limit, error) {
	l, ok := limit(p, v.Unit, roles)
	if !ok {
		return l, fault.New(fault.Forbidden, CodeNotAllowed, "nobody with your roles may adjust balances in %s", v.Unit)
	}
	return l, within(v.Unit, v.Count, l.Most, "asked for at once")
}

// wait has a request wait for its approval.
func (v *Adjustment) wait(p provider.AdjustmentPolicy, now time.Time, who scope.Actor) {
	end := now.AddDate(0, 0, provider.Or(p.PendingDays, usualPending))
	v.Expires = &end
	v.enter(Pending, now, who, "")
}

// Edit changes what a request asks for while it waits. From then on who edited it is one who asked: neither they nor
// who asked first may approve it. seen is the version that it is based on; 0: whatever it is now. Faults as those
// of Request; Forbidden (CodeNotAllowed); Conflict (CodeDecided); Stale.
func (s *Service) Edit(ctx context.Context, i id.ID, seen int64, change func(a *Asked)) (d store.Doc, v Adjustment, err error) {
	who, claims, err := actor(ctx)
	if err != nil {
		return d, v, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) error {
		if v, d, err = s.open(ctx, i, seen); err != nil {
			return err
		}
		if !claims.EditAdjustments {
			return fault.New(fault.Forbidden, CodeNotAllowed, "you may not edit adjustments")
		}
		p, _, err := s.policy(ctx)
		if err != nil {
			return err
		}
		now, was := s.store.Now(ctx), v.Asked
		if change(&v.Asked); v.same(was, v.Unit) {
			v.Asked = was
			return nil
		}
		if v.UsageType != was.UsageType && v.BucketID == was.BucketID {
			v.BucketID = ""
		} else if v.BucketID != was.BucketID && v.UsageType == was.UsageType {
			v.UsageType = ""
		}
		var wrong fault.Several
		if v.Asked.check(&wrong); wrong.Err() != nil {
			return wrong.Err()
		}
		if _, err := s.line(ctx, &v); err != nil {
			return err
		}
		if _, err := s.target(ctx, &v); err != nil {
			return err
		}
		if err := reasonable(p, v.Asked, v.Count); err != nil {
			return err
		}
		if _, err := mayAsk(p, &v, claims.Roles); err != nil {
			return err
		}
		if v.First == nil {
			v.First = &was
		}
		v.EditedBy = append(slices.Clip(v.EditedBy), who)
		v.Roles = spoken(p, claims.Roles)
		v.wait(p, now, who)
		d, err = s.Adjustments.Replace(ctx, d, &v)
		return err
	})
	return d, v, err
}

// open is a request that waits, in the version that was seen.
func (s *Service) open(ctx context.Context, i id.ID, seen int64) (v Adjustment, d store.Doc, err error) {
	if v, d, err = s.Adjustments.Get(ctx, i); err != nil {
		return v, d, err
	}
	if v.Status != Pending {
		return v, d, decided(v)
	}
	return v, d, fresh(d, seen)
}

func decided(v Adjustment) error {
	return fault.Conflictf(CodeDecided, "the adjustment is %s: nothing of it can be changed any more", v.Status).At("status")
}

func fresh(d store.Doc, seen int64) error {
	if seen > 0 && seen != d.Version {
		return fault.New(fault.Stale, fault.CodeStale, "the adjustment has changed since: its version is %d now", d.Version)
	}
	return nil
}

type expiring struct {
	Adjustment id.ID `json:"adjustment"`
}

// after promises that a request that waits is rejected when its time is over.
func (s *Service) after(ctx context.Context, i id.ID, prev, next *Adjustment) error {
	if next == nil || next.Status != Pending || next.Expires == nil ||
		prev != nil && prev.Expires != nil && prev.Expires.Equal(*next.Expires) {
		return nil
	}
	payload, err := json.Marshal(expiring{i})
	if err != nil {
		return fault.Internalf(err, "a job cannot be written down")
	}
	home, _ := i.Home()
	_, err = s.store.Enqueue(ctx, home, job.Job{
		Kind: JobExpire, Key: string(i) + "/" + next.Expires.UTC().Format(time.RFC3339Nano), Payload: payload, RunAt: *next.Expires,
	})
	return err
}
