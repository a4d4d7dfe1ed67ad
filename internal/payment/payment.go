// Package payment takes money from customers through payment gateways and gives it back: tokens that stand for a means of
// payment, the one method that an account has stored (TMF670 Payment Method), payments and refunds (TMF676 Payment). A
// payment is recorded before the gateway is asked, asked for under one key until its outcome is known, and ends once; what it
// credits is credited in the transaction that records that the gateway took the money.
package payment

import (
	"time"

	"github.com/demarc-bss/demarc/internal/account"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/job"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/resource"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/subscription"
)

// The id kinds of this package.
var (
	Kind       = id.Kind{Name: "payment", Prefix: "pay"}
	RefundKind = id.Kind{Name: "refund", Prefix: "rfd"}
	TokenKind  = id.Kind{Name: "paymentToken", Prefix: "ptk"}
	MethodKind = id.Kind{Name: "paymentMethod", Prefix: "pmt"}

	vaultKind  = id.Kind{Name: "paymentSecret", Prefix: "psv"}
	askingKind = id.Kind{Name: "paymentCall", Prefix: "pcl"}
)

// domain is what events call the API.
const domain = "paymentManagement"

// System accounts of the ledger.
const (
	// GatewayAccount is where money comes from that a gateway took, and goes to that it gave back.
	GatewayAccount = "sys:gateway"
	// Unapplied is money that a gateway took and that could not be used for what it was meant for: it is on its way back.
	Unapplied = "sys:unapplied"
)

// State is where a payment or a refund stands (TMF676 PaymentStatusExampleType).
type State string

// A payment is pending until the gateway's answer is known, however long that takes. It is done when the gateway took the
// money, denied when it refused, and failed when it was never asked, or never heard of it.
const (
	Pending State = "pendingAuthorization"
	Done    State = "done"
	Denied  State = "denied"
	Failed  State = "failed"
)

// Final reports whether it has ended: it never changes any more.
func (s State) Final() bool { return s == Done || s == Denied || s == Failed }

const (
	// CodeNoToken is a token that there is not.
	CodeNoToken fault.Code = "noSuchToken"
	// CodeOtherAccount is a token, a method or a line of another account.
	CodeOtherAccount fault.Code = "nonResponsibleAccount"
	// CodeNoMethod is an account without a stored payment method.
	CodeNoMethod fault.Code = "noPaymentMethod"
	// CodeMethodStored is a second payment method for an account.
	CodeMethodStored fault.Code = "paymentMethodStored"
	// CodeKeyReused is a key that came before for another payment.
	CodeKeyReused fault.Code = "paymentKeyReused"
	// CodeNoGateway is a payment while no gateway is set up.
	CodeNoGateway fault.Code = "noPaymentGateway"
	// CodeNoSecret is an installation without the secret that tokens are kept under.
	CodeNoSecret fault.Code = "noServerSecret"
	// CodeState is what the state of a payment or of its account forbids.
	CodeState fault.Code = "paymentState"
	// CodeCurrency is an amount that is not in the account's currency.
	CodeCurrency fault.Code = "currencyMismatch"
	// CodeTooMuch is a refund of more than is left of the payment.
	CodeTooMuch fault.Code = "refundTooHigh"
)

// Origin is what asked for a payment.
type Origin struct {
	// Kind is the wire name of the thing, ID its id ("autoTopupSchedule", its id).
	Kind string `json:"kind"`
	ID   string `json:"originId"`
}

// Order is a charge that is asked for.
type Order struct {
	// Key names the charge at the service provider: the same key again is the same charge, and other content under it is a
	// Conflict fault (CodeKeyReused). Empty: the charge is new.
	Key string
	// Account is who pays; Token with what, the account's stored method when it is empty.
	Account id.ID
	Token   id.ID
	// Subscription is the line that it is for; it may be empty, unless Credit is set.
	Subscription id.ID
	// Amount is net of Tax: the customer is charged both. A Tax without a currency is none.
	Amount, Tax money.Amount
	// Credit has Amount credited to the main money of the line, in the transaction that records that the gateway took it.
	Credit bool
	// Reason is for histories, in words.
	Reason string
	Origin Origin
	// Wait says that who orders it calls Settle: the job that asks the gateway comes later, in case it does not.
	Wait bool
}

// Codes of results.
const (
	ResultSuccess      = "success"
	ResultPending      = "pending"
	ResultUnknown      = "unknown"
	ResultDeclined     = "declined"
	ResultFailed       = "failed"
	ResultNotRequested = "notRequested"
)

// Result is what one of the systems that a payment goes through made of it.
type Result struct {
	// Code is one of the codes of results.
	Code string `json:"code"`
	// Message is for people, Detail the system's own code.
	Message string `json:"message,omitzero"`
	Detail  string `json:"detail,omitzero"`
}

// Payment is money taken, or to be taken, from a customer (TMF676 Payment).
type Payment struct {
	Type              string     `json:"@type,omitzero"`
	Name              string     `json:"name,omitzero"`
	Description       string     `json:"description,omitzero"`
	CorrelatorID      string     `json:"correlatorId,omitzero"`
	AuthorizationCode string     `json:"authorizationCode,omitzero"`
	Status            State      `json:"status,omitzero"`
	StatusDate        time.Time  `json:"statusDate,omitzero"`
	StatusReason      string     `json:"statusReason,omitzero"`
	PaymentDate       *time.Time `json:"paymentDate,omitzero"`
	Account           *sid.Ref   `json:"account,omitzero"`
	// Method is the stored method that paid, or says what did.
	Method *sid.Ref `json:"paymentMethod,omitzero"`
	// Total is what the customer is charged: Amount and the Tax on it.
	Amount *Sum `json:"amount,omitzero"`
	Tax    *Sum `json:"taxAmount,omitzero"`
	Total  *Sum `json:"totalAmount,omitzero"`

	Key            string  `json:"paymentKey,omitzero"`
	SubscriptionID id.ID   `json:"subscriptionId,omitzero"`
	Credit         bool    `json:"creditToBalance,omitzero"`
	Origin         *Origin `json:"origin,omitzero"`
	TokenID        id.ID   `json:"tokenID,omitzero"`
	// Instrument holds the token fast until the payment has ended.
	Instrument *sid.Ref `json:"instrument,omitzero"`
	// Billing is the record on the account, Charging the credit to the balance, Gateway what the gateway said.
	Billing  *Result `json:"billingResult,omitzero"`
	Charging *Result `json:"chargingResult,omitzero"`
	Gateway  *Result `json:"paymentGatewayResult,omitzero"`
	// Reference is the gateway's own name for it.
	Reference string `json:"gatewayReference,omitzero"`
	// Booked is where the money went: a bucket's top-up, sales, or Unapplied.
	Booked string `json:"bookedTo,omitzero"`
	// Topup is the top-up that credited it.
	Topup id.ID `json:"topupId,omitzero"`
	// Refunded is what was given back of it, or is about to be.
	Refunded *Sum     `json:"refundedAmount,omitzero"`
	Calls    id.ID    `json:"callsId,omitzero"`
	Rest     sid.Rest `json:",embed"`

	order *Order
}

// Taken reports whether the gateway took the money, and it was used for what it was meant for.
func (p Payment) Taken() bool {
	return p.Status == Done && p.Charging != nil && p.Charging.Code != ResultFailed
}

// Parts are the domains that payments span.
type Parts struct {
	Providers     *provider.Service
	Accounts      *account.Service
	Subscriptions *subscription.Service
	Balances      *balance.Service
	// Gateway is the way to the payment gateway; nil: nothing can be charged.
	Gateway Gateway
	// Secret is the installation's, at least 16 bytes: tokens are kept under it. Without one there are no tokens.
	Secret []byte
	// CallTimeout bounds one call to the gateway (default 20 s).
	CallTimeout time.Duration
}

// Service is all tokens, payment methods, payments and refunds.
type Service struct {
	Parts
	// Payments and Refunds are those of TMF676, Methods those of TMF670. Tokens are what gateways know methods by.
	Payments *resource.Set[Payment]
	Refunds  *resource.Set[Refund]
	Methods  *resource.Set[Method]
	Tokens   *resource.Set[Token]

	store  *store.Store
	vault  *store.Collection[sealed]
	asking *store.Collection[asking]
	box    *box
}

// Jobs that call the gateway.
const (
	JobCharge = "payment.charge"
	JobRefund = "payment.refund"
)

// WaitingJobs are the handlers of this package's jobs, by kind; they wait for the gateway.
func (s *Service) WaitingJobs() map[string]job.Handler {
	return map[string]job.Handler{JobCharge: s.chargeJob, JobRefund: s.refundJob}
}

// New makes the service on a store; call it once, before the store is used.
func New(st *store.Store, p Parts) *Service {
	s := &Service{Parts: p, store: st, box: newBox(p.Secret)}
	history := []string{"account", "paymentMethod", "payer", "requestor", "channel", "payment", "paymentItem"}
	s.Payments = resource.New(st, store.Definition{
		Kind: Kind, Table: "payment", Loose: history,
		Indexed: map[string]string{"account.id": "account_id", "status": "status", "correlatorId": "correlator_id"},
	}, s.paymentRules())
	s.Refunds = resource.New(st, store.Definition{
		Kind: RefundKind, Table: "refund", Loose: history,
		Indexed: map[string]string{"account.id": "account_id", "status": "status", "payment.id": "payment_id"},
	}, s.refundRules())
	s.Methods = resource.New(st, store.Definition{
		Kind: MethodKind, Table: "payment_method", Loose: []string{"relatedPlace"}, Indexed: map[string]string{"name": "name"},
	}, s.methodRules())
	s.Tokens = resource.New(st, store.Definition{
		Kind: TokenKind, Table: "payment_token", Indexed: map[string]string{"accountID": "account_id"},
	}, s.tokenRules())
	s.vault = store.NewCollection[sealed](st, store.Definition{Kind: vaultKind, Table: "payment_vault", Quiet: true})
	s.asking = store.NewCollection[asking](st, store.Definition{Kind: askingKind, Table: "payment_call", Quiet: true})
	return s
}
