package payment

import (
	"context"
	"time"

	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

// Gateway is a way to a payment gateway. An error of a call says that it may have arrived or not: what became of it is
// asked for under the same key. A gateway does what carries one key once. Implementations: connect/payment.
type Gateway interface {
	// Charge takes money from a customer.
	Charge(ctx context.Context, c Instruction) (Answer, error)
	// Find asks what became of a charge; Unknown for one that never arrived.
	Find(ctx context.Context, c Instruction) (Answer, error)
	// Refund gives a part of a charge, or all of it, back.
	Refund(ctx context.Context, r Reversal) (Answer, error)
	// FindRefund asks what became of a refund; Unknown for one that never arrived.
	FindRefund(ctx context.Context, r Reversal) (Answer, error)
}

// Secret is a text that is never shown: it writes itself as asterisks into logs, errors and documents.
type Secret string

// String implements fmt.Stringer; it does not show the secret.
func (Secret) String() string { return "***" }

// GoString implements fmt.GoStringer; it does not show the secret.
func (Secret) GoString() string { return "***" }

// MarshalText implements encoding.TextMarshaler; it does not show the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Reveal is the secret itself, for who sends it to the gateway.
func (s Secret) Reveal() string { return string(s) }

// Instruction is a charge as a gateway is asked for it.
type Instruction struct {
	// Key makes it idempotent: the payment's id.
	Key id.ID
	// Token is what the gateway knows the customer's means of payment by.
	Token  Secret
	Amount money.Amount
	// Account is whose it is, Text what it is for; both may stand in the gateway's own reports.
	Account string
	Text    string
	// Asked is when the gateway was first asked for it.
	Asked time.Time
}

// Reversal is a refund as a gateway is asked for it.
type Reversal struct {
	// Key makes it idempotent: the refund's id.
	Key id.ID
	// Reference is the gateway's own name for the charge.
	Reference string
	Amount    money.Amount
	Text      string
	// Asked is when the gateway was first asked for it.
	Asked time.Time
}

// Outcome is how a charge or a refund stands at the gateway.
type Outcome string

// Accepted is one whose answer comes later. Declined is for good, and so is Succeeded; anything else that goes wrong is
// an error of the call. Unknown is one that the gateway never heard of.
const (
	Accepted  Outcome = "accepted"
	Succeeded Outcome = "succeeded"
	Declined  Outcome = "declined"
	Unknown   Outcome = "unknown"
)

// Answer is what a gateway says of a charge or a refund.
type Answer struct {
	Outcome Outcome
	// Reference is the gateway's own name for it, Authorization the issuer's for its consent.
	Reference, Authorization string
	// Code is the gateway's word for why it declined ("insufficient_funds"), Reason the same for people.
	Code, Reason string
}
