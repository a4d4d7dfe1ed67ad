package care

import (
	"context"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/payment"
	"github.com/demarc-bss/demarc/internal/store"
)

// gatewayTime is how long a caller waits for the gateway's answer before it is told that there is none yet.
const gatewayTime = 22 * time.Second

func (a *api) payments() []op.Operation {
	const tag = "Payment"
	refused := []fault.Kind{fault.NotFound, fault.Conflict, fault.Unavailable}
	also := map[int]string{
		http.StatusAccepted:        "The gateway's answer is not known yet. It is asked until it is: read the payment again.",
		http.StatusPaymentRequired: "The gateway declined: nothing was charged.",
	}
	may := func(v auth.Verb) []auth.Permission { return desk.May("billingAccount", v) }
	return append(a.paymentTokens(),
		op.Handle(op.Operation{
			ID: "cm.paymentCharge.create", Method: http.MethodPost, Path: gatewayPath + "/applyPaymentCharge", Tag: tag, Summary: "Charge an account",
			Description: "Charges the means of payment of a tokenID, or the account's stored one, with amount and taxAmount, and with creditToBalance credits the amount " +
				"to the subscription's balance. The answer tells apart what the gateway made of it, what became of the balance, and what is recorded on the " +
				"account. The same externalTransactionNumber, or Idempotency-Key, is the same charge however often it is sent: no customer is charged twice.",
			Permission: may(auth.Patch), Writes: true, Status: http.StatusCreated, Also: also, Errors: refused, Before: a.charge, Timeout: time.Minute,
			Request: &op.Body{Example: map[string]any{
				"subscriptionId": "sub_06c3v4m8r1e2k7t9w5x0y3z4a6", "tokenID": "ptk_06c3v4m8r1e2k7t9w5x0y3z4a6", "amount": map[string]any{"unit": "CHF", "value": 20},
				"taxAmount": map[string]any{"unit": "CHF", "value": 1.6}, "creditToBalance": true, "externalTransactionNumber": "shop-7-000123",
			}},
		}, a.applyPaymentCharge),
		op.Handle(op.Operation{
			ID: "cm.paymentCharge.get", Method: http.MethodGet, Path: gatewayPath + "/readPaymentCharge", Tag: tag, Summary: "Read what became of a charge",
			Description: "By the transactionId that applyPaymentCharge gave.", Permission: may(auth.Get), Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
		}, a.readPaymentCharge),
		op.Handle(op.Operation{
			ID: "cm.paymentRefund.create", Method: http.MethodPost, Path: gatewayPath + "/applyPaymentRefund", Tag: tag, Summary: "Give a charge back",
			Description: "All that is left of it, or an amount, tax included. What was credited is taken out of the balance again: a refund of more than the balance has " +
				"is refused. The same externalTransactionNumber, or Idempotency-Key, is the same refund.",
			Permission: may(auth.Patch), Writes: true, Status: http.StatusCreated, Also: also, Errors: refused, Before: a.refund, Timeout: time.Minute,
			Request: &op.Body{Example: map[string]any{"transactionId": "pay_06c3v4m8r1e2k7t9w5x0y3z4a6", "amount": map[string]any{"unit": "CHF", "value": 5.4}}},
		}, a.applyPaymentRefund),
		op.Handle(op.Operation{
			ID: "cm.paymentRefund.get", Method: http.MethodGet, Path: gatewayPath + "/readPaymentRefund", Tag: tag, Summary: "Read what became of a refund",
			Description: "By the refundId that applyPaymentRefund gave.", Permission: may(auth.Get), Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
		}, a.readPaymentRefund),
	)
}

type chargeRequest struct {
	SPID           int           `json:"spid,omitzero" minimum:"1" maximum:"999999999" doc:"The service provider, as the header says it."`
	AccountID      string        `json:"accountID,omitzero" maxLength:"64" doc:"The account that pays, by its id or its number; the subscription's by default."`
	SubscriptionID string        `json:"subscriptionId,omitzero" maxLength:"64" doc:"Id of the subscription that it is for; its mobile number is understood too."`
	MobileNumber   string        `json:"mobileNumber,omitzero" maxLength:"64" doc:"Mobile number in any spelling, instead of the id."`
	TokenID        id.ID         `json:"tokenID,omitzero" maxLength:"64" doc:"What pays; the account's stored method by default."`
	Amount         money.Amount  `json:"amount" doc:"Net of taxAmount, in the currency of the account."`
	Tax            *money.Amount `json:"taxAmount,omitzero" doc:"Charged on top of the amount."`
	Credit         bool          `json:"creditToBalance,omitzero" doc:"Credit the amount to the subscription's balance."`
	External       string        `json:"externalTransactionNumber,omitzero" maxLength:"200" doc:"Your own name for the charge."`
	Details        string        `json:"paymentDetails,omitzero" maxLength:"500" doc:"What it is for."`
}

type resultView struct {
	Code    string `json:"code" enum:"success,pending,unknown,declined,failed,notRequested"`
	Message string `json:"message,omitzero"`
	Detail  string `json:"detail,omitzero" doc:"The system's own code."`
}

func showResult(r *payment.Result) *resultView {
	if r == nil {
		return nil
	}
	return &resultView{r.Code, r.Message, r.Detail}
}

type chargeView struct {
	ID             id.ID         `json:"transactionId"`
	Code           string        `json:"code,omitzero" enum:"paymentDeclined,paymentFailed" doc:"Of a charge that came to nothing."`
	Reason         string        `json:"reason,omitzero" doc:"Why it did."`
	Status         payment.State `json:"status" enum:"pendingAuthorization,done,denied,failed"`
	Billing        *resultView   `json:"billingResult" doc:"The record on the account."`
	Charging       *resultView   `json:"chargingResult,omitzero" doc:"The credit to the balance."`
	Gateway        *resultView   `json:"paymentGatewayResult,omitzero" doc:"What the gateway said."`
	AccountID      string        `json:"accountID"`
	SubscriptionID id.ID         `json:"subscriptionId,omitzero"`
	TokenID        id.ID         `json:"tokenID,omitzero"`
	Amount         *money.Amount `json:"amount,omitzero"`
	Tax            *money.Amount `json:"taxAmount,omitzero"`
	Total          *money.Amount `json:"totalAmount,omitzero"`
	Refunded       *money.Amount `json:"refundedAmount,omitzero"`
	Reference      string        `json:"gatewayReference,omitzero" doc:"The gateway's own name for it."`
	Authorization  string        `json:"authorizationCode,omitzero"`
	TopupID        id.ID         `json:"topupId,omitzero" doc:"The top-up that credited it."`
	Date           *time.Time    `json:"transactionDate,omitzero" doc:"When the gateway took the money."`
	StatusDate     time.Time     `json:"statusDate"`
	Type           string        `json:"@type"`
}

// refusalOf says in the words of an error what else the answer of a charge or a refund says that came to nothing.
func refusalOf(s payment.State, why string) (code, reason string) {
	switch s {
	case payment.Denied:
		return "paymentDeclined", desk.First(why, "the payment gateway declined")
	case payment.Failed:
		return "paymentFailed", desk.First(why, "the payment failed")
	}
	return "", ""
}

// paid is an amount, where one was said.
func paid(s *payment.Sum) *money.Amount {
	if s == nil || s.Currency() == "" {
		return nil
	}
	return &s.Amount
}

func showCharge(i id.ID, p payment.Payment) chargeView {
	v := chargeView{
		ID: i, Status: p.Status, Billing: showResult(p.Billing), Charging: showResult(p.Charging), Gateway: showResult(p.Gateway), SubscriptionID: p.SubscriptionID,
		TokenID: p.TokenID, Amount: paid(p.Amount), Tax: paid(p.Tax), Total: paid(p.Total), Refunded: paid(p.Refunded), Reference: p.Reference, Authorization: p.AuthorizationCode,
		TopupID: p.Topup, Date: p.PaymentDate, StatusDate: p.StatusDate, Type: "PaymentCharge",
	}
	v.Code, v.Reason = refusalOf(p.Status, p.StatusReason)
	if p.Account != nil {
		v.AccountID = p.Account.ID
	}
	return v
}

// answers is the status of an answer by the state that it tells of.
func answers(s payment.State) int {
	switch s {
	case payment.Done:
		return http.StatusCreated
	case payment.Pending:
		return http.StatusAccepted
	}
	return http.StatusPaymentRequired
}

// paymentKey names a charge or a refund by what its client calls it.
func paymentKey(ctx context.Context, r *op.Request, external string) (string, error) {
	if external != "" {
		return "external/" + external, nil
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		return "", nil
	}
	sc, err := scope.From(ctx)
	if err != nil {
		return "", err
	}
	client := desk.First(sc.Actor().Client, sc.Actor().Subject)
	if len(key) > 150 || len(client) > 80 {
		return "", fault.Invalidf("Idempotency-Key", "must have at most 150 characters here")
	}
	return "request/" + client + "/" + key, nil
}

// order reads what is asked for.
func (a *api) chargeOrder(ctx context.Context, r *op.Request, in chargeRequest) (o payment.Order, err error) {
	sc, err := scope.From(ctx)
	if err != nil {
		return o, err
	}
	if in.SPID != 0 && in.SPID != sc.SPID() {
		return o, fault.Invalidf("spid", "the request is made at service provider %d", sc.SPID())
	}
	o = payment.Order{Token: in.TokenID, Amount: in.Amount, Credit: in.Credit, Reason: in.Details, Wait: true}
	if in.Tax != nil {
		o.Tax = *in.Tax
	}
	if in.SubscriptionID != "" || in.MobileNumber != "" {
		i, v, err := a.Resolve(ctx, in.SubscriptionID, in.MobileNumber)
		if err != nil {
			return o, err
		}
		o.Subscription, o.Account = i, v.AccountID
	}
	if in.AccountID != "" {
		if o.Account, err = a.owner(ctx, in.AccountID); err != nil {
			return o, err
		}
	}
	if o.Account == "" {
		return o, fault.Invalidf("accountID", "say who pays: accountID, or a subscription by subscriptionId or mobileNumber")
	}
	o.Key, err = paymentKey(ctx, r, in.External)
	return o, err
}

type madeKey struct{}

// charge records a charge and asks the gateway before the answer is made: the gateway is never asked within a transaction.
func (a *api) charge(ctx context.Context, r *op.Request) (context.Context, error) {
	if store.CallFrom(ctx).DryRun {
		return ctx, nil
	}
	var in chargeRequest
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return ctx, fault.New(fault.Invalid, fault.CodeMalformed, "the body cannot be read").Because(err)
	}
	o, err := a.chargeOrder(ctx, r, in)
	if err != nil {
		return ctx, err
	}
	i, _, err := a.Payments.Charge(ctx, o)
	if err != nil {
		return ctx, err
	}
	return a.settled(ctx, i, func(ctx context.Context) error {
		_, err := a.Payments.Settle(ctx, i)
		return err
	})
}

// settled waits for the gateway as long as a caller may be kept waiting. What it does not say by then, a job asks for.
func (a *api) settled(ctx context.Context, i id.ID, settle func(context.Context) error) (context.Context, error) {
	short, cancel := context.WithTimeout(ctx, gatewayTime)
	defer cancel()
	if err := settle(short); err != nil && short.Err() == nil {
		return ctx, err
	}
	return context.WithValue(ctx, madeKey{}, i), ctx.Err()
}

type applyPaymentChargeIn struct {
	Request *op.Request
	Body    chargeRequest
}

type chargeOut struct {
	Status   int
	Location string `header:"Location"`
	Body     chargeView
}

func (a *api) applyPaymentCharge(ctx context.Context, in *applyPaymentChargeIn) (*chargeOut, error) {
	var p payment.Payment
	i, made := ctx.Value(madeKey{}).(id.ID)
	if made {
		var err error
		if p, _, err = a.Payments.Payments.Get(ctx, i); err != nil {
			return nil, err
		}
	} else { // a dry run: all is decided but what the gateway would say
		o, err := a.chargeOrder(ctx, in.Request, in.Body)
		if err != nil {
			return nil, err
		}
		if i, p, err = a.Payments.Charge(ctx, o); err != nil {
			return nil, err
		}
	}
	return &chargeOut{Status: answers(p.Status), Location: in.Request.BaseURL + gatewayPath + "/readPaymentCharge?transactionId=" + string(i), Body: showCharge(i, p)}, nil
}

type chargeKey struct {
	ID id.ID `query:"transactionId" required:"true" doc:"Id of the charge, as applyPaymentCharge gave it."`
}

type readChargeOut struct{ Body chargeView }

func (a *api) readPaymentCharge(ctx context.Context, in *chargeKey) (*readChargeOut, error) {
	p, _, err := a.Payments.Payments.Get(ctx, in.ID)
	if err != nil {
		return nil, fault.From(err).At("transactionId")
	}
	return &readChargeOut{showCharge(in.ID, p)}, nil
}

type refundRequest struct {
	ID       id.ID         `json:"transactionId" minLength:"1" maxLength:"64" doc:"Id of the charge that is given back."`
	Amount   *money.Amount `json:"amount,omitzero" doc:"How much of it, tax included; all that is left by default."`
	External string        `json:"externalTransactionNumber,omitzero" maxLength:"200" doc:"Your own name for the refund."`
	Details  string        `json:"paymentDetails,omitzero" maxLength:"500" doc:"Why."`
}

type refundView struct {
	ID         id.ID         `json:"refundId"`
	Code       string        `json:"code,omitzero" enum:"paymentDeclined,paymentFailed" doc:"Of a refund that came to nothing."`
	Reason     string        `json:"reason,omitzero" doc:"Why it did."`
	Payment    string        `json:"transactionId"`
	Status     payment.State `json:"status" enum:"pendingAuthorization,done,denied,failed"`
	Billing    *resultView   `json:"billingResult" doc:"The record on the account."`
	Charging   *resultView   `json:"chargingResult,omitzero" doc:"What was taken out of the balance again."`
	Gateway    *resultView   `json:"paymentGatewayResult,omitzero" doc:"What the gateway said."`
	AccountID  string        `json:"accountID"`
	Amount     *money.Amount `json:"amount,omitzero"`
	Tax        *money.Amount `json:"taxAmount,omitzero"`
	Total      *money.Amount `json:"totalAmount,omitzero"`
	Reference  string        `json:"gatewayReference,omitzero"`
	Date       *time.Time    `json:"transactionDate,omitzero"`
	StatusDate time.Time     `json:"statusDate"`
	Type       string        `json:"@type"`
}

func showRefund(i id.ID, r payment.Refund) refundView {
	v := refundView{
		ID: i, Status: r.Status, Billing: showResult(r.Billing), Charging: showResult(r.Charging), Gateway: showResult(r.Gateway), Amount: paid(r.Amount), Tax: paid(r.Tax),
		Total: paid(r.Total), Reference: r.Reference, Date: r.RefundDate, StatusDate: r.StatusDate, Type: "PaymentRefund",
	}
	v.Code, v.Reason = refusalOf(r.Status, r.StatusReason)
	if r.Payment != nil {
		v.Payment = r.Payment.ID
	}
	if r.Account != nil {
		v.AccountID = r.Account.ID
	}
	return v
}

func refundOrder(ctx context.Context, r *op.Request, in refundRequest) (payment.RefundOrder, error) {
	o := payment.RefundOrder{Payment: in.ID, Reason: in.Details}
	if in.Amount != nil {
		o.Amount = *in.Amount
	}
	var err error
	o.Key, err = paymentKey(ctx, r, in.External)
	return o, err
}

// refund is charge for a refund.
func (a *api) refund(ctx context.Context, r *op.Request) (context.Context, error) {
	if store.CallFrom(ctx).DryRun {
		return ctx, nil
	}
	var in refundRequest
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return ctx, fault.New(fault.Invalid, fault.CodeMalformed, "the body cannot be read").Because(err)
	}
	o, err := refundOrder(ctx, r, in)
	if err != nil {
		return ctx, err
	}
	o.Wait = true
	i, _, err := a.Payments.Refund(ctx, o)
	if err != nil {
		return ctx, err
	}
	return a.settled(ctx, i, func(ctx context.Context) error {
		_, err := a.Payments.SettleRefund(ctx, i)
		return err
	})
}

type applyPaymentRefundIn struct {
	Request *op.Request
	Body    refundRequest
}

type refundOut struct {
	Status   int
	Location string `header:"Location"`
	Body     refundView
}

func (a *api) applyPaymentRefund(ctx context.Context, in *applyPaymentRefundIn) (*refundOut, error) {
	var v payment.Refund
	i, made := ctx.Value(madeKey{}).(id.ID)
	if made {
		var err error
		if v, _, err = a.Payments.Refunds.Get(ctx, i); err != nil {
			return nil, err
		}
	} else { // a dry run
		o, err := refundOrder(ctx, in.Request, in.Body)
		if err != nil {
			return nil, err
		}
		if i, v, err = a.Payments.Refund(ctx, o); err != nil {
			return nil, err
		}
	}
	return &refundOut{Status: answers(v.Status), Location: in.Request.BaseURL + gatewayPath + "/readPaymentRefund?refundId=" + string(i), Body: showRefund(i, v)}, nil
}

type refundKey struct {
	ID id.ID `query:"refundId" required:"true" doc:"Id of the refund, as applyPaymentRefund gave it."`
}

type readRefundOut struct{ Body refundView }

func (a *api) readPaymentRefund(ctx context.Context, in *refundKey) (*readRefundOut, error) {
	v, _, err := a.Payments.Refunds.Get(ctx, in.ID)
	if err != nil {
		return nil, fault.From(err).At("refundId")
	}
	return &readRefundOut{showRefund(in.ID, v)}, nil
}
