package care

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/referral"
)

const rafPath = desk.Base + "/raf"

func (a *api) referrals() []op.Operation {
	const tag = "ReferAFriend"
	refused := []fault.Kind{fault.NotFound, fault.Conflict}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.raf.validate", Method: http.MethodPost, Path: rafPath + "/referrer/validation", Aliases: []string{rafPath + "/validation", desk.Alias + "/raf/validation"}, Tag: tag,
			Summary: "Validate a referrer",
			Description: "Whether a customer can be recommended with a referral code. It changes nothing. The referralCode of the answer is what an order, a shopping cart " +
				"(`PATCH /api/shoppingCart/{id}`) and `POST /api/raf/apply` take. Refusals: referralCodeUnknown, selfReferral, alreadyReferred, notEligibleForReferral, " +
				"referralLimitReached, referralNotAvailable.",
			Permission: desk.May("customer", auth.Get), Status: http.StatusOK, Errors: refused,
			Request: &op.Body{Example: map[string]any{
				"referrer": map[string]any{"referralCode": "7KQ2M-XW4FA"}, "referred": map[string]any{"accountID": "48120937"},
			}},
		}, a.validateReferral),
		op.Handle(op.Operation{
			ID: "cm.raf.apply", Method: http.MethodPost, Path: rafPath + "/apply", Tag: tag, Summary: "Apply a referral to an active subscription",
			Description: "Rewards both sides, at once or on the day that the service provider's policy says. Possible for some time after the subscription's activation (30 days " +
				"by default), and once for a customer; the same again answers 200.",
			Permission: desk.May("customer", auth.Patch), Writes: true, Status: http.StatusCreated, Also: map[int]string{http.StatusOK: "It was applied before."}, Errors: refused,
			Request: &op.Body{Example: map[string]any{"referralCode": "7KQ2M-XW4FA", "subscriptionId": "sub_06c3v4m8r1e2k7t9w5x0y3z4a6"}},
		}, a.applyReferral),
		op.Handle(op.Operation{
			ID: "cm.raf.history", Method: http.MethodGet, Path: rafPath + "/history/{id}", Aliases: []string{rafPath + "/histoy/{id}", desk.Alias + "/raf/histoy/{id}"}, Tag: tag,
			Summary:     "List a customer's referrals",
			Description: "Whom a customer recommended, and by whom it was. By the customer's id, an account's id or number, or a subscription's id or mobile number.",
			Permission:  desk.May("customer", auth.Get), Status: http.StatusOK, Also: desk.Pages(), Errors: []fault.Kind{fault.NotFound},
		}, a.referralHistory),
		op.Handle(op.Operation{
			ID: "cm.raf.code", Method: http.MethodGet, Path: rafPath + "/referralCode/{id}", Tag: tag, Summary: "Read a customer's referral code",
			Description: "Each customer has one. By the customer's id, an account's id or number, or a subscription's id or mobile number.",
			Permission:  desk.May("customer", auth.Get), Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound},
		}, a.codeByID),
		op.Handle(op.Operation{
			ID: "cm.raf.codes", Method: http.MethodGet, Path: rafPath + "/referralCode", Tag: tag, Summary: "Find a referral code",
			Description: "The code of a customer, or whose a code is.", Permission: desk.May("customer", auth.Get), Status: http.StatusOK, Errors: refused,
		}, a.codeByQuery),
	}
}

// sideKey names a customer in one of several ways.
type sideKey struct {
	CustomerID     string `json:"customerId,omitzero" maxLength:"64" doc:"Id of the customer."`
	AccountID      string `json:"accountID,omitzero" maxLength:"64" doc:"Id or number of an account of the customer."`
	SubscriptionID string `json:"subscriptionId,omitzero" maxLength:"64" doc:"Id of a subscription of the customer."`
	MobileNumber   string `json:"mobileNumber,omitzero" maxLength:"64" doc:"Mobile number of a subscription of the customer."`
}

// whose is the customer that all name that name one; empty when none does.
func (a *api) whose(ctx context.Context, at string, k sideKey) (found id.ID, err error) {
	for _, it := range []named{{"customerId", k.CustomerID}, {"accountID", k.AccountID}, {"subscriptionId", k.SubscriptionID}, {"mobileNumber", k.MobileNumber}} {
		if it.value == "" {
			continue
		}
		i, err := a.Referrals.Customer(ctx, it.value)
		if err != nil {
			return "", fault.From(err).At(at + it.name)
		}
		if found != "" && i != found {
			return "", fault.Invalidf(at+it.name, "%s names another customer than what else names one", it.name)
		}
		found = i
	}
	return found, nil
}

type referrerKey struct {
	Code           string `json:"referralCode,omitzero" maxLength:"40" doc:"The referral code as people write it."`
	CustomerID     string `json:"customerId,omitzero" maxLength:"64" doc:"Id of the customer."`
	AccountID      string `json:"accountID,omitzero" maxLength:"64" doc:"Id or number of an account of the customer."`
	SubscriptionID string `json:"subscriptionId,omitzero" maxLength:"64" doc:"Id of a subscription of the customer."`
	MobileNumber   string `json:"mobileNumber,omitzero" maxLength:"64" doc:"Mobile number of a subscription of the customer."`
}

func (k referrerKey) side() sideKey {
	return sideKey{k.CustomerID, k.AccountID, k.SubscriptionID, k.MobileNumber}
}

type validationRequest struct {
	Code     string      `json:"referralCode,omitzero" maxLength:"40" doc:"The referral code; referrer.referralCode is the same."`
	Referrer referrerKey `json:"referrer,omitzero" doc:"Who recommends: the code and, to be sure, whose it is."`
	Referred sideKey     `json:"referred,omitzero" doc:"Who is recommended, where they are a customer already."`
}

type bonusView struct {
	Amount *money.Amount `json:"amount,omitzero"`
	AddOns []string      `json:"addOn,omitempty" doc:"Keys of add-ons whose allowances are given."`
}

func bonusOf(b provider.ReferralBonus) bonusView {
	return bonusView{Amount: b.Amount, AddOns: b.AddOns}
}

type validationView struct {
	Valid      bool      `json:"valid"`
	Code       string    `json:"referralCode" doc:"Identifies the validated referral: for an order, a shopping cart, or raf/apply."`
	ReferrerID id.ID     `json:"referrerId" doc:"The customer who has the code."`
	ReferredID id.ID     `json:"referredId,omitzero"`
	Referrer   bonusView `json:"referrerBonus"`
	Referred   bonusView `json:"referredBonus"`
	AfterDays  int       `json:"afterDays" doc:"How many days after the activation the bonuses are paid."`
	Type       string    `json:"@type"`
}

type validationIn struct{ Body validationRequest }

type validationOut struct{ Body validationView }

func (a *api) validateReferral(ctx context.Context, in *validationIn) (*validationOut, error) {
	code, err := a.codeFrom(ctx, in.Body.Code, in.Body.Referrer)
	if err != nil {
		return nil, err
	}
	referred, err := a.whose(ctx, "referred.", in.Body.Referred)
	if err != nil {
		return nil, err
	}
	v, err := a.Referrals.Validate(ctx, code, referred)
	if err != nil {
		return nil, err
	}
	return &validationOut{validationView{
		Valid: true, Code: referral.Shown(v.Code.Code), ReferrerID: v.Code.CustomerID, ReferredID: referred, Referrer: bonusOf(v.Bonuses.Referrer),
		Referred: bonusOf(v.Bonuses.Referred), AfterDays: v.Days, Type: "ReferralValidation",
	}}, nil
}

// codeFrom is the code that a request names, once or twice; who else is named as the referrer has it.
func (a *api) codeFrom(ctx context.Context, code string, r referrerKey) (string, error) {
	code = desk.First(code, r.Code)
	if code == "" {
		return "", fault.Invalidf("referralCode", "referralCode is mandatory")
	}
	who, err := a.whose(ctx, "referrer.", r.side())
	if err != nil || who == "" && (r.Code == "" || r.Code == code) {
		return code, err
	}
	c, _, err := a.Referrals.ByCode(ctx, code)
	if err != nil {
		return "", err
	}
	if r.Code != "" {
		o, _, err := a.Referrals.ByCode(ctx, r.Code)
		if err != nil {
			return "", err
		}
		if o.Code != c.Code {
			return "", fault.Invalidf("referrer.referralCode", "referrer.referralCode says another code than referralCode")
		}
	}
	if who != "" && who != c.CustomerID {
		// The same answer as to a code that nobody has: whose a code is is not to be tried out.
		return "", fault.Conflictf(referral.CodeUnknown, "there is no such referral code").At("referralCode")
	}
	return code, nil
}

type applyRequest struct {
	Code           string      `json:"referralCode,omitzero" maxLength:"40" doc:"The referral code; referrer.referralCode is the same."`
	Referrer       referrerKey `json:"referrer,omitzero" doc:"Who recommends: the code and, to be sure, whose it is."`
	Referred       sideKey     `json:"referred,omitzero" doc:"Who is recommended: the subscription and, to be sure, whose it is."`
	SubscriptionID string      `json:"subscriptionId,omitzero" doc:"Id of the recommended subscription; referred.subscriptionId is the same."`
	MobileNumber   string      `json:"mobileNumber,omitzero" doc:"Its mobile number, instead of the id."`
}

type applyIn struct {
	Request *op.Request
	Body    applyRequest
}

type referralOut struct {
	Status int
	Body   referralView
}

func (a *api) applyReferral(ctx context.Context, in *applyIn) (*referralOut, error) {
	b := in.Body
	code, err := a.codeFrom(ctx, b.Code, b.Referrer)
	if err != nil {
		return nil, err
	}
	line, v, err := a.Resolve(ctx, desk.First(b.SubscriptionID, b.Referred.SubscriptionID), desk.First(b.MobileNumber, b.Referred.MobileNumber))
	if err != nil {
		return nil, err
	}
	who, err := a.whose(ctx, "referred.", b.Referred)
	if err != nil {
		return nil, err
	}
	if who != "" {
		owner, err := a.Referrals.Customer(ctx, string(v.AccountID))
		if err != nil {
			return nil, err
		}
		if owner != who {
			return nil, fault.Invalidf("referred.customerId", "the subscription belongs to another customer")
		}
	}
	d, again, err := a.Referrals.Claim(ctx, line, code)
	if err != nil {
		return nil, err
	}
	r, _, err := a.Referrals.Referrals.Get(ctx, d.ID)
	if err != nil {
		return nil, err
	}
	out := &referralOut{Status: http.StatusCreated, Body: referralShown("referred", d.ID, r)}
	if again {
		out.Status = http.StatusOK
	}
	return out, nil
}

type referralView struct {
	ID         id.ID          `json:"id"`
	Role       string         `json:"role" enum:"referrer,referred" doc:"The customer's side of it."`
	Status     referral.State `json:"status" enum:"PENDING,AWARDED,REFUSED,FORFEITED,REVOKED"`
	Reason     string         `json:"statusReason,omitzero"`
	Code       string         `json:"referralCode"`
	ReferrerID id.ID          `json:"referrerId,omitzero"`
	ReferredID id.ID          `json:"referredId"`
	Line       id.ID          `json:"subscriptionId" doc:"The recommended subscription."`
	Created    time.Time      `json:"creationDate"`
	Due        *time.Time     `json:"dueDate,omitzero" doc:"When the bonuses are paid."`
	Closed     *time.Time     `json:"closedDate,omitzero"`
	Bonuses    []paidView     `json:"bonus" doc:"What was paid to either side."`
	Type       string         `json:"@type"`
}

type paidView struct {
	Role      string        `json:"role" enum:"referrer,referred"`
	Line      id.ID         `json:"subscriptionId"`
	BucketID  id.ID         `json:"bucketID"`
	Name      string        `json:"bundleName,omitzero"`
	Amount    *money.Amount `json:"amount,omitzero"`
	AddOn     string        `json:"addOn,omitzero"`
	TakenBack *money.Amount `json:"takenBack,omitzero"`
}

func referralShown(side string, i id.ID, v referral.Referral) referralView {
	out := referralView{
		ID: i, Role: side, Status: v.Status, Reason: v.Reason, Code: referral.Shown(v.Code), ReferrerID: v.ReferrerID, ReferredID: v.ReferredID,
		Line: v.Line, Created: v.Created, Closed: v.Closed, Bonuses: make([]paidView, 0, len(v.Bonuses)), Type: v.Type,
	}
	if !v.Due.IsZero() {
		out.Due = &v.Due
	}
	for _, b := range v.Bonuses {
		out.Bonuses = append(out.Bonuses, paidView{Role: b.Side, Line: b.Line, BucketID: b.Bucket, Name: b.Name, Amount: b.Amount, AddOn: b.AddOn, TakenBack: b.TakenBack})
	}
	return out
}

type historyIn struct {
	desk.PageIn
	ID string `path:"id" doc:"The customer: its id, or an account's id or number, or a subscription's id or mobile number."`
}

type historyOut struct {
	tmf630.Page
	Body []referralView
}

func (a *api) referralHistory(ctx context.Context, in *historyIn) (*historyOut, error) {
	who, err := a.Referrals.Customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all, total, err := a.Referrals.History(ctx, who, in.Offset, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &historyOut{Page: in.Of(rafPath+"/history/"+in.ID, len(all), total), Body: []referralView{}}
	for _, e := range all {
		out.Body = append(out.Body, referralShown(e.Side, e.ID, e.Referral))
	}
	return out, nil
}

type codeView struct {
	Code       string    `json:"referralCode" example:"7KQ2M-XW4FA"`
	CustomerID id.ID     `json:"customerId"`
	Created    time.Time `json:"creationDate"`
	Count      int       `json:"referralCount" doc:"How many the customer has recommended with success."`
	Type       string    `json:"@type"`
}

type codeOut struct{ Body codeView }

func codeShown(c referral.Code) *codeOut {
	return &codeOut{codeView{Code: referral.Shown(c.Code), CustomerID: c.CustomerID, Created: c.Created, Count: c.Count, Type: c.Type}}
}

type codeIn struct {
	ID string `path:"id" doc:"The customer: its id, or an account's id or number, or a subscription's id or mobile number."`
}

func (a *api) codeByID(ctx context.Context, in *codeIn) (*codeOut, error) {
	who, err := a.Referrals.Customer(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	c, err := a.Referrals.CodeOf(ctx, who)
	if err != nil {
		return nil, err
	}
	return codeShown(c), nil
}

type codesIn struct {
	Request        *op.Request
	Code           string `query:"referralCode" doc:"The code whose holder is asked for."`
	CustomerID     string `query:"customerId" doc:"Id of the customer."`
	AccountID      string `query:"accountID" doc:"Id or number of an account of the customer."`
	SubscriptionID string `query:"subscriptionId" doc:"Id of a subscription of the customer."`
	MobileNumber   string `query:"mobileNumber" doc:"Mobile number of a subscription of the customer."`
}

func (a *api) codeByQuery(ctx context.Context, in *codesIn) (*codeOut, error) {
	if err := desk.Said(in.Request, "referralCode", "customerId", "accountID", "subscriptionId", "mobileNumber"); err != nil {
		return nil, err
	}
	who, err := a.whose(ctx, "", sideKey{in.CustomerID, in.AccountID, in.SubscriptionID, in.MobileNumber})
	if err != nil {
		return nil, err
	}
	if who == "" && in.Code == "" {
		return nil, fault.Invalidf("customerId", "say whose code: customerId, accountID, subscriptionId or mobileNumber; or which: referralCode")
	}
	if in.Code == "" {
		c, err := a.Referrals.CodeOf(ctx, who)
		if err != nil {
			return nil, err
		}
		return codeShown(c), nil
	}
	c, _, err := a.Referrals.ByCode(ctx, in.Code)
	if err == nil && who != "" && who != c.CustomerID {
		err = fault.Conflictf(referral.CodeUnknown, "there is no such referral code").At("referralCode")
	}
	if err != nil {
		return nil, err
	}
	return codeShown(c), nil
}

// named is an attribute or parameter with what it says.
type named struct{ name, value string }
