package balance

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
)

const referenceClaim = "topup.reference"

// maxReference is the longest reference of a top-up, in bytes.
const maxReference = 69

// Topup is money that was paid into a line's balance (TMF654 TopupBalance).
type Topup struct {
	Type           string       `json:"@type,omitzero"`
	SubscriptionID id.ID        `json:"subscriptionId"`
	Amount         sid.Quantity `json:"amount"`
	UsageType      string       `json:"usageType"`
	// Status is always completed: a top-up that fails leaves nothing behind.
	Status string `json:"status"`
	// Reference is the payer's own name for it, unique at the line.
	Reference        string    `json:"reference"`
	Reason           string    `json:"reason,omitzero"`
	RequestedDate    time.Time `json:"requestedDate"`
	ConfirmationDate time.Time `json:"confirmationDate"`
	Bucket           *sid.Ref  `json:"bucket,omitzero"`
	Product          []sid.Ref `json:"product,omitzero"`
	Rest             sid.Rest  `json:",embed"`
}

// TopupOrder is a top-up that is asked for.
type TopupOrder struct {
	Subscription id.ID
	Amount       money.Amount
	// Reference is the payer's own name for the payment, 1 to 69 characters.
	Reference string
	// Reason is free text.
	Reason string
}

func (o TopupOrder) check() error {
	var found []fault.Detail
	if o.Amount.Sign() <= 0 {
		found = append(found, fault.Detail{Attribute: "amount", Message: "the amount must be above 0"})
	} else if o.Amount.Round() != o.Amount {
		found = append(found, fault.Detail{Attribute: "amount", Message: fmt.Sprintf("an amount of %s has at most %d decimals", o.Amount.Currency(), o.Amount.Currency().Digits())})
	}
	if r := strings.TrimSpace(o.Reference); r == "" || len(o.Reference) > maxReference {
		found = append(found, fault.Detail{Attribute: "reference", Message: "reference is mandatory: your own name for the payment, at most 69 characters"})
	}
	return fault.InvalidAll(found)
}

// TopUp pays money into a line's balance. The same reference and amount again answer with the top-up that
// was made, and pay nothing; the same reference with another amount is a Conflict fault
// (CodeReferenceReused).
func (s *Service) TopUp(ctx context.Context, o TopupOrder) (i id.ID, t Topup, again bool, err error) {
	if err := o.check(); err != nil {
		return "", Topup{}, false, err
	}
	err = s.store.Write(ctx, func(ctx context.Context) (err error) {
		again = false
		claim := string(o.Subscription) + "/" + o.Reference
		if i, err = s.store.Claimant(ctx, referenceClaim, claim); err != nil {
			return err
		}
		if i != "" {
			again = true
			t, err = s.made(ctx, i, o)
			return err
		}
		if i, t, err = s.topUp(ctx, o); err != nil {
			return err
		}
		return s.store.Claim(ctx, referenceClaim, claim, i)
	})
	return i, t, again, err
}

// made gives the top-up that was made under the reference.
func (s *Service) made(ctx context.Context, i id.ID, o TopupOrder) (Topup, error) {
	t, _, err := s.Topups.Get(ctx, i)
	if err != nil {
		return t, err
	}
	if was, err := money.Parse(string(t.Amount.Amount), money.Currency(t.Amount.Units)); err != nil || was != o.Amount {
		return t, fault.Conflictf(CodeReferenceReused, "the reference %q was used for a top-up of %s %s", o.Reference, t.Amount.Amount, t.Amount.Units).At("reference")
	}
	return t, nil
}

func (s *Service) topUp(ctx context.Context, o TopupOrder) (id.ID, Topup, error) {
	bucket, b, err := s.Money(ctx, o.Subscription)
	if err != nil {
		return "", Topup{}, err
	}
	if b.Unit != string(o.Amount.Currency()) {
		return "", Topup{}, fault.Invalidf("amount", "the balance is in %s", b.Unit)
	}
	now := s.store.Now(ctx)
	t := Topup{
		Type: "TopupBalance", SubscriptionID: o.Subscription, UsageType: b.UsageType, Status: "completed",
		Amount: Quantity(b.Unit, o.Amount.Micros()), Reference: o.Reference, Reason: o.Reason,
		RequestedDate: now, ConfirmationDate: now,
		Bucket: &sid.Ref{ID: string(bucket)}, Product: []sid.Ref{{ID: string(o.Subscription)}},
	}
	i, _, err := s.Topups.Add(ctx, &t)
	if err != nil {
		return "", Topup{}, err
	}
	c := Cause{Kind: TopupKind.Name, ID: string(i), Text: fmt.Sprintf("Top-up of %s, reference %s", o.Amount, o.Reference)}
	return i, t, s.Move(ctx, c, Movement{Bucket: bucket, Amount: o.Amount.Micros(), Against: Topups})
}

// Money is the main money bucket of a line; a Conflict fault (CodeNoMoney) when it has none.
func (s *Service) Money(ctx context.Context, line id.ID) (id.ID, Bucket, error) {
	held, err := s.load(ctx, line)
	if err != nil {
		return "", Bucket{}, err
	}
	if h := (&Wallet{Held: held}).Money(); h != nil {
		return h.ID, h.Bucket, nil
	}
	return "", Bucket{}, fault.Conflictf(CodeNoMoney, "the subscription has no active money balance")
}
