package balance

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
)

// Openings is the buckets as clients see them: creating one opens it, with its remainingValue out of what the
// operator grants. Its line is named by product, logicalResource or subscriptionId. Without one that is here the bucket
// belongs to something that is kept elsewhere: only tasks that name the bucket move it.
type Openings struct {
	*resource.Set[Bucket]
	s *Service
}

// Openings are the buckets as clients see them.
func (s *Service) Openings() Openings { return Openings{s.Buckets, s} }

// maxName is the longest name of a bucket, in bytes.
const maxName = 255

// Create implements resource.Any.
func (o Openings) Create(ctx context.Context, body jsontext.Value) (d store.Doc, err error) {
	var b Bucket
	if err := json.Unmarshal(body, &b); err != nil {
		return d, fault.Invalidf("", "the value does not fit the attribute").Because(err)
	}
	g, err := b.grant()
	if err != nil {
		return d, err
	}
	err = o.s.store.Write(ctx, func(ctx context.Context) error {
		who, err := o.holder(ctx, &b)
		if err != nil {
			return err
		}
		if who.Ended {
			return fault.Conflictf(CodeNotActive, "the line %s has ended", who.Subscription).At("product")
		}
		ws, err := o.s.Wallets(ctx, who)
		if err != nil {
			return err
		}
		w := ws[0]
		if g.End != nil && !g.End.After(w.Now) {
			return fault.Invalidf("validFor.endDateTime", "the bucket would have ended already")
		}
		h, err := w.Open(g, Cause{Kind: BucketKind.Name, Text: "Opened with " + inWords(g.Unit, g.Amount)})
		if err != nil {
			return err
		}
		h.told(&b)
		if err := o.s.Save(ctx, w); err != nil {
			return err
		}
		d = h.stored
		return o.s.promiseExpiry(ctx, h)
	})
	return d, err
}

// holder finds the line that a new bucket is for; one that has none has itself for a holder.
func (o Openings) holder(ctx context.Context, b *Bucket) (Holder, error) {
	named := append(append(refsOf(b.SubscriptionID), b.Product...), b.LogicalResource...)
	who, _, err := o.s.holder(ctx, whose{others: named})
	if fault.KindOf(err) != fault.NotFound {
		return who, err
	}
	for _, r := range named {
		if _, ours := id.ID(r.ID).Home(); ours {
			return who, fault.Invalidf("product", "there is no line %s", r.ID)
		}
	}
	return Holder{Subscription: id.New(BucketKind, id.RandomHome(), o.s.store.Now(ctx))}, nil
}

// told keeps of a new bucket what its client said beside what was opened.
func (h *Held) told(b *Bucket) {
	v := &h.Bucket
	if b.Type != "" {
		v.Type = b.Type
	}
	v.Description, v.Rest, v.LogicalResource = b.Description, b.Rest, b.LogicalResource
	if b.ValidFor != nil {
		v.ValidFor.Rest = b.ValidFor.Rest
	}
	if v.SubscriptionID.Is(BucketKind) {
		v.SubscriptionID, v.HeldBy, v.Product, v.PartyAccount, v.IsShared = "", h.ID, b.Product, b.PartyAccount, b.IsShared
	}
}

// holder is who it is loaded by: its line or, when it has none, itself.
func (b *Bucket) holder(i id.ID) id.ID {
	if b.SubscriptionID != "" {
		return b.SubscriptionID
	}
	return i
}

// grant reads what a client wants opened. What is not said to be for anything is for other usage, and a currency for
// money.
func (b Bucket) grant() (g Grant, err error) {
	if b.UsageType == "" {
		if b.UsageType = Other; money.Currency(b.Remaining.Units).Valid() {
			b.UsageType = Monetary
		}
	}
	if b.UsageType == Other && b.Remaining.Units == "" {
		b.Remaining.Units = "units"
	}
	if usageNames[b.UsageType] == "" {
		return g, fault.Invalidf("usageType", "usageType is monetary, voice, data, sms or other")
	}
	g = Grant{Name: b.Name, UsageType: b.UsageType, Unit: UnitOf(b.UsageType, b.Remaining.Units), Group: b.IsShared}
	switch {
	case g.Unit == "" || len(g.Unit) > maxUnit:
		return g, fault.Invalidf("remainingValue.units", "the units of %s are mandatory: a currency of ISO 4217 for money", b.UsageType)
	case len(b.Name) > maxName:
		return g, fault.Invalidf("name", "a name has at most %d characters", maxName)
	case g.Name == "":
		g.Name = usageNames[b.UsageType]
	}
	if len(b.Remaining.Amount) > 0 {
		if g.Amount, err = Count(g.Unit, b.Remaining); err != nil {
			return g, fault.From(err).At("remainingValue." + fault.From(err).Attribute)
		}
	}
	if g.Amount < 0 || payable(g.Unit, g.Amount) != g.Amount {
		return g, fault.Invalidf("remainingValue.amount", "a bucket is opened with 0 or more, in what can be paid")
	}
	if err := inBounds(g.Amount); err != nil {
		return g, fault.From(err).At("remainingValue.amount")
	}
	if b.ValidFor != nil {
		g.Start, g.End = b.ValidFor.Start, b.ValidFor.End
		if g.Start != nil && g.End != nil && !g.Start.Before(*g.End) {
			return g, fault.Invalidf("validFor.endDateTime", "the bucket would end before it begins")
		}
	}
	return g, nil
}

// maxUnit is the longest name of a unit, in bytes.
const maxUnit = 32

// SetCreditLimit lets the main money of a line go so far below zero, in micros; 0 takes the limit away. A limit that
// is exceeded already is a Conflict fault (CodeInsufficient).
func (s *Service) SetCreditLimit(ctx context.Context, line id.ID, limit int64) error {
	if limit < 0 {
		return fault.Invalidf("creditLimit", "a credit limit is not below 0")
	}
	return s.store.Write(ctx, func(ctx context.Context) error {
		w, err := s.Wallet(ctx, line)
		if err != nil {
			return err
		}
		h := w.Money()
		switch {
		case h == nil:
			return fault.Conflictf(CodeNoMoney, "the subscription has no active money balance")
		case h.Left < -limit:
			return fault.Conflictf(CodeInsufficient, "the balance is %s already", inWords(h.Bucket.Unit, h.Left)).At("creditLimit")
		case h.Floor == -limit:
			return nil
		}
		h.Floor, h.changed, h.Bucket.CreditLimit = -limit, true, nil
		if limit > 0 {
			q := Quantity(h.Bucket.Unit, limit)
			h.Bucket.CreditLimit = &q
		}
		return s.Save(ctx, w)
	})
}
