package balance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/govalues/decimal"

	"github.com/demarc-bss/demarc/internal/kernel/event"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/resource"
)

// The states of top-ups, adjustments, reservations and transfers (TMF654 ActionStatusType). Created is what goes on: a
// reservation that holds, a top-up with periods to come.
const (
	Created   = "created"
	Completed = "completed"
	Failed    = "failed"
	Cancelled = "cancelled"
)

const (
	// CodeTaskState is a change that the state of a task forbids.
	CodeTaskState fault.Code = "taskState"
	// CodeNotOffered is something that the standard has and demarc does not do.
	CodeNotOffered fault.Code = "notOffered"
	// CodeNoBucket is a task that names no bucket or line that is here.
	CodeNoBucket fault.Code = "bucketNotFound"
	// CodeOtherLine is a task whose bucket and line do not belong together.
	CodeOtherLine fault.Code = "bucketOfAnotherLine"
	// CodeUnit is an amount in a unit that the bucket does not have.
	CodeUnit fault.Code = "unitMismatch"
)

// Task is what top-ups, adjustments, reservations and transfers have in common.
type Task struct {
	Type   string `json:"@type,omitzero"`
	Status string `json:"status"`
	// Failure says why it failed.
	Failure     *Failure `json:"failure,omitzero"`
	Description string   `json:"description,omitzero"`
	// Reason is the client's.
	Reason           string     `json:"reason,omitzero"`
	RequestedDate    time.Time  `json:"requestedDate,omitzero"`
	ConfirmationDate *time.Time `json:"confirmationDate,omitzero"`
	// Amount is as the client wrote it: 2 GB stay 2 GB.
	Amount    sid.Quantity `json:"amount,omitzero"`
	UsageType string       `json:"usageType,omitzero"`
	Bucket    *sid.Ref     `json:"bucket,omitzero"`
	// LogicalResource, Product and PartyAccount are other ways to say whose bucket is meant: a mobile number or the
	// line's id, and the account's.
	LogicalResource []sid.Ref   `json:"logicalResource,omitzero"`
	Product         []sid.Ref   `json:"product,omitzero"`
	PartyAccount    *sid.Ref    `json:"partyAccount,omitzero"`
	ValidFor        *sid.Period `json:"validFor,omitzero"`
	// SubscriptionID is the line, once it was found.
	SubscriptionID id.ID `json:"subscriptionId,omitzero"`

	// strict answers a refusal as a fault: nothing is stored. own says that demarc changes it, not a client.
	strict, own bool
}

// Failure is why a task failed.
type Failure struct {
	Code fault.Code `json:"code"`
	// Reason is for people.
	Reason string `json:"reason"`
	// Attribute is the one at fault, where there is one.
	Attribute string `json:"attribute,omitzero"`
}

// home is where a task is kept: with its line, as far as its references tell.
func (t *Task) home() (id.Home, bool) {
	for _, i := range append([]id.ID{t.SubscriptionID}, refIDs(t.Bucket, t.Product)...) {
		if h, ok := i.Home(); ok {
			return h, true
		}
	}
	return 0, false
}

func refIDs(one *sid.Ref, more []sid.Ref) (ids []id.ID) {
	if one != nil {
		ids = append(ids, id.ID(one.ID))
	}
	for _, r := range more {
		ids = append(ids, id.ID(r.ID))
	}
	return ids
}

// begin checks the form. An amount is a number above 0; signed lets it be below, and zero 0.
func (t *Task) begin(kind string, now time.Time, signed, zero bool) error {
	if t.Type == "" {
		t.Type = strings.ToUpper(kind[:1]) + kind[1:]
	}
	t.RequestedDate, t.Status, t.Failure, t.ConfirmationDate = now, Completed, nil, nil
	return t.check(signed, zero)
}

func (t *Task) check(signed, zero bool) error {
	d, err := decimal.Parse(strings.Trim(string(t.Amount.Amount), `"`))
	switch {
	case err != nil:
		return fault.Invalidf("amount.amount", "amount is mandatory: a number and its units")
	case d.IsZero() && !zero, d.IsNeg() && !signed:
		return fault.Invalidf("amount.amount", "the amount must be above 0")
	}
	return nil
}

// carryOut does what a task asks. What is refused by the state of things is recorded as its failure.
func (s *Service) carryOut(ctx context.Context, t *Task, act func(ctx context.Context) error) error {
	err := s.store.Write(ctx, act)
	if err == nil {
		if t.Status == Completed && t.ConfirmationDate == nil {
			now := s.store.Now(ctx)
			t.ConfirmationDate = &now
		}
		return nil
	}
	f := fault.From(err)
	switch f.Kind {
	case fault.Conflict, fault.NotFound, fault.Invalid, fault.Limit:
	default:
		return err
	}
	if t.strict {
		return err
	}
	t.Status, t.Failure, t.ConfirmationDate = Failed, &Failure{Code: f.Code, Reason: f.Message, Attribute: f.Attribute}, nil
	return nil
}

// whose is what a task's references name.
type whose struct {
	bucket   *sid.Ref
	others   []sid.Ref
	usage    string
	units    string
	prefixed string
}

func (t *Task) whose() whose {
	w := whose{bucket: t.Bucket, usage: t.UsageType, units: t.Amount.Units}
	w.others = append(append(refsOf(t.SubscriptionID), t.Product...), t.LogicalResource...)
	return w
}

func refsOf(line id.ID) []sid.Ref {
	if line == "" {
		return nil
	}
	return []sid.Ref{{ID: string(line)}}
}

// holder finds the line that is meant: the bucket's, or the one that the other references name. The bucket's
// reference may name the line too. References to things elsewhere are passed over.
func (s *Service) holder(ctx context.Context, w whose) (h Holder, bucket id.ID, err error) {
	refs := w.others
	if w.bucket != nil && id.ID(w.bucket.ID).Is(BucketKind) {
		bucket = id.ID(w.bucket.ID)
		b, _, err := s.Buckets.Get(ctx, bucket)
		if err != nil {
			return h, "", fault.From(err).At(w.prefixed + "bucket.id")
		}
		h.Subscription = b.holder(bucket)
		if b.PartyAccount != nil {
			h.Account = id.ID(b.PartyAccount.ID)
		}
	} else if w.bucket != nil {
		refs = append([]sid.Ref{*w.bucket}, refs...)
	}
	for _, r := range refs {
		o, err := s.parts.Line(ctx, r.ID)
		switch fault.KindOf(err) {
		case fault.None:
		case fault.NotFound, fault.Invalid:
			continue
		default:
			return h, "", err
		}
		if h.Subscription == "" {
			h = o
		} else if h.Subscription != o.Subscription && (bucket == "" || h.Account != o.Account) {
			return h, "", fault.Conflictf(CodeOtherLine, "%s is not of the same line as what else is named", r.ID)
		}
	}
	if h.Subscription == "" {
		return h, "", fault.NotFoundf("no bucket or line was found: name a bucket, or a line by its id or mobile number")
	}
	return h, bucket, nil
}

// pick is the bucket that is meant of a wallet: the named one, or the first that fits the usage type and unit.
func (w *Wallet) pick(bucket id.ID, o whose) (*Held, error) {
	if bucket != "" {
		h := w.Find(bucket)
		if h == nil {
			return nil, fault.Conflictf(CodeNotActive, "the balance %s is expired", bucket)
		}
		if o.usage != "" && o.usage != h.Bucket.UsageType {
			return nil, fault.Conflictf(CodeUnit, "the balance %s is for %s, not %s", h.Bucket.Name, h.Bucket.UsageType, o.usage)
		}
		return h, nil
	}
	if o.usage == "" || o.usage == Monetary {
		if h := w.Money(); h != nil {
			return h, nil
		}
		return nil, fault.Conflictf(CodeNoMoney, "the subscription has no active money balance")
	}
	for _, h := range w.Held {
		if h.Bucket.UsageType == o.usage && h.Bucket.Spendable(w.Now) && (o.usage != Other || o.units == h.Bucket.Unit) {
			return h, nil
		}
	}
	return nil, fault.Conflictf(CodeNoBucket, "the subscription has no active balance for %s", o.usage)
}

// target finds the bucket that a task is about, in the wallet of its line, and how much of its units the task moves. It
// notes what it found in the task.
func (s *Service) target(ctx context.Context, t *Task) (*Wallet, *Held, int64, error) {
	who, bucket, err := s.holder(ctx, t.whose())
	if err != nil {
		return nil, nil, 0, err
	}
	ws, err := s.Wallets(ctx, who)
	if err != nil {
		return nil, nil, 0, err
	}
	h, err := ws[0].pick(bucket, t.whose())
	if err != nil {
		return nil, nil, 0, err
	}
	n, err := t.amount(h)
	if err == nil {
		t.found(who, h)
	}
	return ws[0], h, n, err
}

// amount is what a task moves, in the bucket's units.
func (t *Task) amount(h *Held) (int64, error) {
	n, err := Count(h.Bucket.Unit, t.Amount)
	if err != nil {
		f := fault.From(err)
		return 0, fault.New(fault.Invalid, CodeUnit, "%s", f.Message).At("amount")
	}
	if a := payable(h.Bucket.Unit, n); a != n {
		return 0, fault.New(fault.Invalid, CodeUnit, "an amount of %s has fewer decimals than %s", h.Bucket.Unit, t.Amount.Amount).At("amount")
	}
	return n, inBounds(n)
}

// found notes whose bucket it is.
func (t *Task) found(h Holder, b *Held) {
	t.UsageType, t.Bucket = b.Bucket.UsageType, &sid.Ref{ID: string(b.ID), Name: b.Bucket.Name}
	t.SubscriptionID = b.Bucket.SubscriptionID
	if t.SubscriptionID == "" {
		return
	}
	t.SubscriptionID = h.Subscription
	if len(t.Product) == 0 {
		t.Product = []sid.Ref{{ID: string(h.Subscription)}}
	}
	if t.PartyAccount == nil && h.Account != "" {
		t.PartyAccount = &sid.Ref{ID: string(h.Account)}
	}
	if len(t.LogicalResource) == 0 && h.Number != "" {
		t.LogicalResource = []sid.Ref{{ID: h.Number, ReferredType: "MSISDN"}}
	}
}

// loose are the references of tasks: what they name need not be here, and is never deleted if it is.
var loose = []string{
	"bucket", "product", "partyAccount", "logicalResource", "relatedParty", "requestor", "channel", "paymentMethod", "balanceTopup",
	"receiver", "receiverBucket", "receiverProduct", "receiverLogicalResource", "productOffering",
}

// told tells of a task that failed or was cancelled, as TMF654 names those events.
func (s *Service) told(ctx context.Context, kind id.Kind, i id.ID, was *Task, is Task, v any) error {
	var verb event.Verb
	switch {
	case was != nil && was.Status == is.Status:
		return nil
	case is.Status == Failed:
		verb = "Failure"
	case is.Status == Cancelled:
		verb = "Cancel"
	default:
		return nil
	}
	body, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return fault.Internalf(err, "the %s cannot be written", kind.Name)
	}
	return s.store.Emit(ctx, event.Event{
		Type: event.TypeOf(kind.Name, verb), Domain: domain, Resource: kind.Name, Subject: i, Document: body,
	})
}

// inWords is an amount for people.
func inWords(unit string, n int64) string { return fmt.Sprintf("%s %s", Decimal(unit, n), unit) }

// added stores a task that demarc itself asks for and gives it as it is stored.
func added[T any](ctx context.Context, set *resource.Set[T], v *T) (i id.ID, stored T, err error) {
	i, d, err := set.Add(ctx, v)
	if err != nil {
		return "", stored, err
	}
	if err := json.Unmarshal(d.Body, &stored); err != nil {
		return "", stored, fault.Internalf(err, "the stored %s cannot be read", i)
	}
	return i, stored, nil
}

// stays refuses a change of state.
func stays(what, from, to string) error {
	return fault.Conflictf(CodeTaskState, "a %s that is %s cannot become %s", what, from, to).At("status")
}
