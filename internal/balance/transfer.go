package balance

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

// Transfer gives a part of one line's bucket to another's (TMF654 TransferBalance).
type Transfer struct {
	Task
	ReceiverBucket          *sid.Ref `json:"receiverBucket,omitzero"`
	ReceiverProduct         *sid.Ref `json:"receiverProduct,omitzero"`
	ReceiverLogicalResource *sid.Ref `json:"receiverLogicalResource,omitzero"`
	ReceiverBucketUsageType string   `json:"receiverBucketUsageType,omitzero"`
	ReceiverSubscriptionID  id.ID    `json:"receiverSubscriptionId,omitzero"`
	// TransferCost is charged to the money of the originator or, if CostOwner says so, of the receiver.
	TransferCost *money.Amount `json:"transferCost,omitzero"`
	CostOwner    string        `json:"costOwner,omitzero"`
	Rest         sid.Rest      `json:",embed"`
}

// TransferOrder is a transfer that is asked for, of the main money unless UsageType says otherwise.
type TransferOrder struct {
	From, To  id.ID
	UsageType string
	Amount    sid.Quantity
	Cost      *money.Amount
	// ReceiverPays has the receiver pay the cost.
	ReceiverPays bool
	Reason       string
}

// Transfer carries out a transfer. Faults as those of Wallet.Move.
func (s *Service) Transfer(ctx context.Context, o TransferOrder) (id.ID, Transfer, error) {
	v := Transfer{
		Task:            Task{SubscriptionID: o.From, UsageType: o.UsageType, Amount: o.Amount, Reason: o.Reason, strict: true},
		ReceiverProduct: &sid.Ref{ID: string(o.To)}, TransferCost: o.Cost,
	}
	if o.ReceiverPays {
		v.CostOwner = "receiver"
	}
	return added(ctx, s.Transfers, &v)
}

func (v *Transfer) receiver() whose {
	w := whose{bucket: v.ReceiverBucket, usage: v.ReceiverBucketUsageType, units: v.Amount.Units, prefixed: "receiver"}
	for _, r := range []*sid.Ref{v.ReceiverProduct, v.ReceiverLogicalResource} {
		if r != nil {
			w.others = append(w.others, *r)
		}
	}
	if w.usage == "" {
		w.usage = v.UsageType
	}
	return w
}

func (s *Service) createTransfer(ctx context.Context, i id.ID, v *Transfer, now time.Time) error {
	if err := v.begin(TransferKind.Name, now, false, false); err != nil {
		return err
	}
	v.ReceiverSubscriptionID = ""
	if v.CostOwner == "" {
		v.CostOwner = "originator"
	}
	if c := v.TransferCost; c != nil && (c.Sign() < 0 || c.Round() != *c) {
		return fault.Invalidf("transferCost.value", "a transfer costs nothing or more, in what can be paid")
	}
	return s.carryOut(ctx, &v.Task, func(ctx context.Context) error { return s.transfer(ctx, i, v) })
}

func (s *Service) transfer(ctx context.Context, i id.ID, v *Transfer) error {
	who, bucket, err := s.holder(ctx, v.whose())
	if err != nil {
		return err
	}
	whom, into, err := s.holder(ctx, v.receiver())
	if err != nil {
		return err
	}
	ws, err := s.Wallets(ctx, who, whom)
	if err != nil {
		return err
	}
	from, err := ws[0].pick(bucket, v.whose())
	if err != nil {
		return err
	}
	to, err := ws[1].pick(into, v.receiver())
	if err != nil {
		return err
	}
	switch {
	case from == to:
		return fault.Conflictf(CodeOtherLine, "the transfer goes to where it comes from").At("receiverBucket")
	case from.Bucket.Unit != to.Bucket.Unit:
		return fault.Conflictf(CodeUnit, "the balance %s is in %s, and the receiver's in %s", from.Bucket.Name, from.Bucket.Unit, to.Bucket.Unit).At("receiverBucketUsageType")
	}
	n, err := v.amount(from)
	if err != nil {
		return err
	}
	v.found(who, from)
	if v.ReceiverBucketUsageType = to.Bucket.UsageType; to.Bucket.SubscriptionID != "" {
		v.ReceiverSubscriptionID = whom.Subscription
	}
	v.ReceiverBucket = &sid.Ref{ID: string(to.ID), Name: to.Bucket.Name}
	if v.ReceiverLogicalResource == nil && whom.Number != "" {
		v.ReceiverLogicalResource = &sid.Ref{ID: whom.Number, ReferredType: "MSISDN"}
	}
	c := Cause{Kind: TransferKind.Name, ID: string(i), Text: "Transfer of " + inWords(from.Bucket.Unit, n) + " to " + whom.name()}
	if err := give(c, ws[0], from, ws[1], to, n, "Transfer of "+inWords(from.Bucket.Unit, n)+" from "+who.name()); err != nil {
		return err
	}
	if err := v.cost(c, ws); err != nil {
		return err
	}
	return s.Save(ctx, ws...)
}

func (h Holder) name() string {
	if h.Number != "" {
		return h.Number
	}
	return string(h.Subscription)
}

// give moves between the buckets of two wallets. Between homes it is two postings, over what is in transit at each,
// so that every home's entries sum to zero.
func give(c Cause, w *Wallet, from *Held, o *Wallet, to *Held, n int64, received string) error {
	if err := w.Move(c, Movement{Bucket: from.ID, Amount: -n, Against: InTransit}); err != nil {
		return err
	}
	c.Text = received
	return o.Move(c, Movement{Bucket: to.ID, Amount: n, Against: InTransit})
}

func (v *Transfer) cost(c Cause, ws []*Wallet) error {
	if v.TransferCost == nil || v.TransferCost.IsZero() {
		return nil
	}
	w := ws[0]
	if v.CostOwner == "receiver" {
		w = ws[1]
	}
	h := w.Money()
	switch {
	case h == nil:
		return fault.Conflictf(CodeNoMoney, "who pays the transfer has no active money balance").At("costOwner")
	case h.Bucket.Unit != string(v.TransferCost.Currency()):
		return fault.Conflictf(CodeUnit, "the balance is in %s", h.Bucket.Unit).At("transferCost.unit")
	}
	c.Text = "Cost of a transfer: " + v.TransferCost.String()
	return w.Move(c, Movement{Bucket: h.ID, Amount: -v.TransferCost.Micros(), Against: TransferFees})
}

func (s *Service) changeTransfer(_ context.Context, prev, next *Transfer, _ time.Time) error {
	return unmoved("transfer", prev.Task, next.Task)
}
