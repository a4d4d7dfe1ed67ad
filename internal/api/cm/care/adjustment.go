package care

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/adjustment"
	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/balance"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/scope"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/provider"
	"github.com/demarc-bss/demarc/internal/store"
)

const (
	adjustmentPath = desk.LinePath + "/adjustment"
	adjustmentByID = adjustmentPath + "/{adjustmentId}"
)

func (a *api) adjustments() []op.Operation {
	const tag = "Adjustment"
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.adjustment.create", Method: http.MethodPost, Path: adjustmentPath, Tag: tag, Summary: "Ask for an adjustment of a subscription's balance",
			Description: "Gives money or an allowance to a subscription, or takes it away (an amount below 0). Within the caller's limit it is carried out at once, " +
				"and its status is COMPLETED; above, it waits as PENDING_APPROVAL until somebody else approves it. The same externalTransactionNumber with the " +
				"same content is the same adjustment: it answers 200.",
			Permission: desk.May("subscription", auth.Post), Writes: true, Status: http.StatusCreated, Also: map[int]string{http.StatusOK: "It was asked for before, under the same externalTransactionNumber."},
			Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{
				"accountID": "48120937", "subscriptionId": "sub_06c3v4m8r1e2k7t9w5x0y3z4a6", "mobileNumber": "+41 79 000 00 00",
				"amount": map[string]any{"unit": "CHF", "value": 5}, "reasonCode": "GOODWILL", "externalTransactionNumber": "case-1187",
			}},
		}, a.requestAdjustment),
		op.Handle(op.Operation{
			ID: "cm.adjustment.list", Method: http.MethodGet, Path: adjustmentPath, Tag: tag, Summary: "List adjustments",
			Description: "Those of a subscription, the newest first: accountID and subscriptionId are mandatory. With a statusId they may be left out: that lists what " +
				"waits for approval at the service provider. `from` is included and `to` is not.",
			Permission: desk.May(auth.Adjustment, auth.Get), Status: http.StatusOK, Also: desk.Pages(), Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Params: []op.Param{{Name: "from", In: "query", Example: "2026-01-01"}, {Name: "to", In: "query", Example: "2026-02-01"}},
		}, a.listAdjustments),
		op.Handle(op.Operation{
			ID: "cm.adjustment.reasons", Method: http.MethodGet, Path: adjustmentPath + "/reason", Tag: tag, Summary: "List the reasons for adjustments",
			Description: "The service provider's catalogue (its policy's adjustment.reason), or demarc's own.", Permission: desk.May(auth.Adjustment, auth.Get), Status: http.StatusOK,
		}, a.adjustmentReasons),
		op.Handle(op.Operation{
			ID: "cm.adjustment.get", Method: http.MethodGet, Path: adjustmentByID, Tag: tag, Summary: "Read an adjustment",
			Description: "Its ETag names the version that is approved with If-Match.", Permission: desk.May(auth.Adjustment, auth.Get), Status: http.StatusOK,
			Errors: []fault.Kind{fault.NotFound},
		}, a.getAdjustment),
		op.Handle(op.Operation{
			ID: "cm.adjustment.patch", Method: http.MethodPatch, Path: adjustmentByID, Tag: tag, Summary: "Edit, approve or reject an adjustment",
			Description: "While it waits, what is asked for can be edited (role subscription:patch), or it is decided by its status: APPROVED or REJECTED (role " +
				"approveAdjustment, or approveAdjsutment as the guide spells it); not both at once. Who asked for it or edited it does not approve it, under whatever role, " +
				"client or token, but may reject it, which takes it back. An approval is judged by the limits that hold then, and carried out at once: the status is COMPLETED " +
				"then or, when it cannot be, FAILED with its reason. Once a request was edited, an approval says which version it is of (If-Match, or version).",
			Permission: desk.May(auth.Adjustment, auth.Patch), Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound, fault.Conflict, fault.Stale},
			Request: &op.Body{Example: map[string]any{"status": "APPROVED", "decisionNote": "as agreed on the phone"}},
		}, a.patchAdjustment),
	}
}

type adjustmentRequest struct {
	AccountID      string        `json:"accountID" minLength:"1" doc:"Id or number of the account."`
	SubscriptionID string        `json:"subscriptionId" minLength:"1" doc:"Id of the subscription; its mobile number is understood too."`
	MobileNumber   string        `json:"mobileNumber" minLength:"1" doc:"Mobile number of the subscription, in any spelling."`
	Amount         *money.Amount `json:"amount,omitzero" doc:"Money; below 0 it is taken."`
	Quantity       *sid.Quantity `json:"quantity,omitzero" doc:"Of an allowance, in units that people use (GB, min); below 0 it is taken."`
	Bundle         *bool         `json:"bundleAdjustment,omitzero" doc:"An allowance is meant, and not money; follows from quantity when it is left out."`
	BucketID       id.ID         `json:"bucketID,omitzero" doc:"The balance or allowance that is meant; the main balance, or the first of the usageType, when it is left out."`
	UsageType      string        `json:"usageType,omitzero" enum:"monetary,voice,data,sms,other"`
	Reason         string        `json:"reasonCode" minLength:"1" maxLength:"40" doc:"One of GET /api/subscription/adjustment/reason." example:"GOODWILL"`
	Note           string        `json:"csrInput,omitzero" maxLength:"1000" doc:"More about it, in words."`
	Reference      string        `json:"externalTransactionNumber,omitzero" maxLength:"69" doc:"The client's own name for it, unique at the subscription."`
}

type adjustmentView struct {
	ID           id.ID            `json:"adjustmentId"`
	Href         string           `json:"href"`
	Status       adjustment.State `json:"status" enum:"CREATED,PENDING_APPROVAL,APPROVED,REJECTED,COMPLETED,FAILED"`
	StatusID     int              `json:"statusId" doc:"Number of the status, 0 to 5."`
	AccountID    id.ID            `json:"accountID"`
	Subscription id.ID            `json:"subscriptionId"`
	MobileNumber string           `json:"mobileNumber,omitzero"`
	Operation    string           `json:"operation" enum:"credit,debit"`
	Amount       *money.Amount    `json:"amount,omitzero"`
	Quantity     *sid.Quantity    `json:"quantity,omitzero" doc:"As it was asked for."`
	Bundle       bool             `json:"bundleAdjustment"`
	BucketID     id.ID            `json:"bucketID"`
	BundleName   string           `json:"bundleName"`
	UsageType    string           `json:"usageType"`
	UnitType     string           `json:"unitType"`
	Reason       string           `json:"reasonCode"`
	Note         string           `json:"csrInput,omitzero"`
	Reference    string           `json:"externalTransactionNumber,omitzero"`
	RequestedBy  scope.Actor      `json:"requestedBy"`
	Requested    time.Time        `json:"requestedDate"`
	EditedBy     []scope.Actor    `json:"editedBy,omitempty" doc:"Who changed what is asked for."`
	DecidedBy    *scope.Actor     `json:"decidedBy,omitzero" doc:"Who approved or rejected it."`
	Decided      *time.Time       `json:"decidedDate,omitzero"`
	DecisionNote string           `json:"decisionNote,omitzero"`
	Expires      *time.Time       `json:"expiresAt,omitzero" doc:"When it is rejected unless somebody has decided."`
	Completion   *time.Time       `json:"completionDate,omitzero"`
	Failure      *failureView     `json:"failure,omitzero" doc:"Why what was approved was not carried out."`
	Trail        []adjustmentStep `json:"statusHistory"`
	Version      int64            `json:"version" doc:"Grows with every change; the ETag says it too."`
	Type         string           `json:"@type"`
}

type failureView struct {
	Code   fault.Code `json:"code"`
	Reason string     `json:"reason"`
}

type adjustmentStep struct {
	Status adjustment.State `json:"status"`
	At     time.Time        `json:"at"`
	By     scope.Actor      `json:"by"`
	Note   string           `json:"note,omitzero"`
}

func adjusted(baseURL string, i id.ID, version int64, v adjustment.Adjustment) adjustmentView {
	out := adjustmentView{
		ID: i, Href: baseURL + adjustmentPath + "/" + string(i), Status: v.Status, StatusID: slices.Index(adjustment.States(), v.Status),
		AccountID: v.AccountID, Subscription: v.SubscriptionID, MobileNumber: v.MobileNumber, Operation: "credit", Bundle: v.Bundle,
		BucketID: v.BucketID, BundleName: v.BucketName, UsageType: v.UsageType, UnitType: v.Unit, Reason: v.Reason, Note: v.Note,
		Reference: v.Reference, RequestedBy: v.RequestedBy, Requested: v.RequestedDate, EditedBy: v.EditedBy, DecidedBy: v.DecidedBy,
		Decided: v.DecidedDate, DecisionNote: v.DecisionNote, Expires: v.Expires, Completion: v.Completion, Version: version, Type: v.Type,
		Trail: make([]adjustmentStep, 0, len(v.Trail)),
	}
	if v.Count < 0 {
		out.Operation = "debit"
	}
	if v.Bundle {
		out.Quantity = &v.Amount
	} else {
		m := money.OfMicros(v.Count, money.Currency(v.Unit))
		out.Amount = &m
	}
	if f := v.Failure; f != nil {
		out.Failure = &failureView{Code: f.Code, Reason: f.Reason}
	}
	for _, s := range v.Trail {
		out.Trail = append(out.Trail, adjustmentStep(s))
	}
	return out
}

type adjustmentOut struct {
	Status   int
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     adjustmentView
}

type adjustmentIn struct {
	Request *op.Request
	Body    adjustmentRequest
}

// asked is how much is meant, and whether of an allowance.
func asked(m *money.Amount, q *sid.Quantity, bundle *bool) (sid.Quantity, bool, error) {
	switch {
	case m == nil && q == nil || m != nil && q != nil:
		return sid.Quantity{}, false, fault.Invalidf("amount", "say how much: amount (of money) or quantity (of an allowance)")
	case bundle != nil && *bundle != (q != nil):
		return sid.Quantity{}, false, fault.Invalidf("bundleAdjustment", "money is given as amount, and an allowance as quantity with bundleAdjustment")
	case q != nil:
		return *q, true, nil
	}
	return balance.Quantity(string(m.Currency()), m.Micros()), false, nil
}

func (a *api) requestAdjustment(ctx context.Context, in *adjustmentIn) (*adjustmentOut, error) {
	b := in.Body
	line, err := a.adjustedLine(ctx, b.AccountID, b.SubscriptionID, b.MobileNumber)
	if err != nil {
		return nil, err
	}
	o := adjustment.Order{Line: line.id, Account: line.account, Reference: b.Reference, Asked: adjustment.Asked{
		BucketID: b.BucketID, UsageType: b.UsageType, Reason: b.Reason, Note: b.Note,
	}}
	if o.Amount, o.Bundle, err = asked(b.Amount, b.Quantity, b.Bundle); err != nil {
		return nil, err
	}
	d, v, again, err := a.Adjustments.Request(ctx, o)
	if err != nil {
		return nil, atQuantity(err, o.Bundle)
	}
	out := &adjustmentOut{Status: http.StatusCreated, ETag: op.ETag(d.Version), Body: adjusted(in.Request.BaseURL, d.ID, d.Version, v)}
	out.Location = out.Body.Href
	if again {
		out.Status = http.StatusOK
	}
	return out, nil
}

// atQuantity names the attribute that the client wrote.
func atQuantity(err error, bundle bool) error {
	if f := fault.From(err); bundle && f.Attribute == "amount" {
		return f.At("quantity")
	}
	return err
}

type ownedLine struct{ id, account id.ID }

// adjustedLine is the line of an account that an id or a number names, or both.
func (a *api) adjustedLine(ctx context.Context, accountID, subscriptionID, mobileNumber string) (ownedLine, error) {
	i, v, err := a.Resolve(ctx, subscriptionID, mobileNumber)
	if err != nil {
		return ownedLine{}, err
	}
	account, err := a.AccountID(ctx, accountID)
	if err != nil {
		return ownedLine{}, fault.From(err).At("accountID")
	}
	if account != v.AccountID {
		if _, err := a.Accounts.Billing.Doc(ctx, account); err != nil {
			return ownedLine{}, fault.From(err).At("accountID")
		}
		return ownedLine{}, fault.Conflictf(adjustment.CodeLine, "the subscription belongs to another account").At("accountID")
	}
	return ownedLine{i, account}, nil
}

type adjustmentsIn struct {
	desk.PageIn
	AccountID      string `query:"accountID" doc:"Id or number of the account; accountId is the same."`
	Lower          string `query:"accountId"`
	SubscriptionID string `query:"subscriptionId" doc:"Id of the subscription; its mobile number is understood too."`
	From           string `query:"from" doc:"Asked for at or after a moment (RFC 3339) or a date."`
	To             string `query:"to" doc:"Asked for before a moment (RFC 3339) or a date."`
	StatusID       string `query:"statusId" doc:"In this status: its name or its number." example:"PENDING_APPROVAL"`
	Bundle         *bool  `query:"bundleAdjustment" doc:"Of allowances alone, or of money alone."`
}

type adjustmentsOut struct {
	tmf630.Page
	Body []adjustmentView
}

func (a *api) listAdjustments(ctx context.Context, in *adjustmentsIn) (*adjustmentsOut, error) {
	if err := desk.Said(in.Request, "accountID", "accountId", "subscriptionId", "from", "to", "statusId", "bundleAdjustment"); err != nil {
		return nil, err
	}
	filters, err := a.adjustmentFilters(ctx, in)
	if err != nil {
		return nil, err
	}
	page, err := a.Adjustments.Adjustments.Docs(ctx, store.Query{
		Filters: filters, Sort: []store.Sort{{Path: []string{"id"}, Desc: true}}, Offset: in.Offset, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	out := &adjustmentsOut{Page: in.Of(adjustmentPath, len(page.Items), page.Total), Body: []adjustmentView{}}
	versions := make(map[id.ID]int64, len(page.Items))
	for _, d := range page.Items {
		versions[d.ID] = d.Version
	}
	out.Body, err = desk.Viewed(page, func(i id.ID, v adjustment.Adjustment) adjustmentView {
		return adjusted(in.Request.BaseURL, i, versions[i], v)
	})
	return out, err
}

func (a *api) adjustmentFilters(ctx context.Context, in *adjustmentsIn) (all []store.Filter, err error) {
	add := func(name string, op store.Op, t store.Type, value string) {
		all = append(all, store.Filter{Path: []string{name}, Op: op, Values: []string{value}, Type: t})
	}
	if account := desk.First(in.AccountID, in.Lower); account != "" || in.SubscriptionID != "" || in.StatusID == "" {
		var wrong fault.Several
		if account == "" {
			wrong.Invalidf("accountID", "accountID is mandatory, unless a statusId is given alone")
		}
		if in.SubscriptionID == "" {
			wrong.Invalidf("subscriptionId", "subscriptionId is mandatory, unless a statusId is given alone")
		}
		if err := wrong.Err(); err != nil {
			return nil, err
		}
		line, err := a.adjustedLine(ctx, account, in.SubscriptionID, "")
		if err != nil {
			return nil, err
		}
		add("subscriptionId", store.Eq, store.Text, string(line.id))
	}
	if in.StatusID != "" {
		s, err := adjustmentState(in.StatusID)
		if err != nil {
			return nil, err
		}
		add("status", store.Eq, store.Text, string(s))
	}
	if in.Bundle != nil {
		add("bundleAdjustment", store.Eq, store.Boolean, strconv.FormatBool(*in.Bundle))
	}
	for _, b := range []struct {
		name, text string
		op         store.Op
	}{{"from", in.From, store.Gte}, {"to", in.To, store.Lt}} {
		if b.text == "" {
			continue
		}
		t, err := a.momentOf(ctx, b.name, b.text)
		if err != nil {
			return nil, err
		}
		add("requestedDate", b.op, store.Moment, t.Format(time.RFC3339Nano))
	}
	return all, nil
}

// adjustmentState reads the name or the number of a status.
func adjustmentState(text string) (adjustment.State, error) {
	all := adjustment.States()
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n < len(all) {
		return all[n], nil
	}
	if s := adjustment.State(strings.ToUpper(text)); slices.Contains(all, s) {
		return s, nil
	}
	return "", fault.Invalidf("statusId", "a status is one of %s, or its number from 0 on", fmt.Sprint(all))
}

// momentOf reads a moment, or the beginning of a date in the service provider's time zone.
func (a *api) momentOf(ctx context.Context, attribute, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err == nil {
		return t.UTC(), nil
	}
	rules, err := a.Providers.Rules(ctx)
	if err != nil {
		return t, err
	}
	if t, err = time.ParseInLocation(time.DateOnly, text, rules.Location()); err != nil {
		return t, fault.Invalidf(attribute, "%s is a moment such as 2026-01-31T09:30:00Z or a date", attribute)
	}
	return t.UTC(), nil
}

type reasonView struct {
	Code        string `json:"reasonCode"`
	Description string `json:"description,omitzero"`
	Operation   string `json:"operation,omitzero" enum:"credit,debit" doc:"A reason for this alone; left out: for both."`
	NeedsNote   bool   `json:"needsNote" doc:"csrInput must say more."`
}

type reasonsOut struct{ Body []reasonView }

func (a *api) adjustmentReasons(ctx context.Context, _ *struct{}) (*reasonsOut, error) {
	all, err := a.Adjustments.Reasons(ctx)
	if err != nil {
		return nil, err
	}
	out := &reasonsOut{Body: []reasonView{}}
	for _, r := range all {
		out.Body = append(out.Body, reason(r))
	}
	return out, nil
}

func reason(r provider.AdjustmentReason) reasonView {
	return reasonView{Code: r.Code, Description: r.Description, Operation: r.Operation, NeedsNote: r.NeedsNote}
}

type oneAdjustmentIn struct {
	Request *op.Request
	ID      id.ID `path:"adjustmentId" doc:"Id of the adjustment."`
}

func (a *api) getAdjustment(ctx context.Context, in *oneAdjustmentIn) (*adjustmentOut, error) {
	v, d, err := a.Adjustments.Adjustments.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &adjustmentOut{ETag: op.ETag(d.Version), Body: adjusted(in.Request.BaseURL, d.ID, d.Version, v)}, nil
}

type adjustmentPatch struct {
	Status       string         `json:"status,omitzero" enum:"APPROVED,REJECTED,PENDING_APPROVAL" doc:"Decides it; PENDING_APPROVAL leaves it as it is."`
	StatusID     jsontext.Value `json:"statusId,omitzero" doc:"The same by its number, 2 or 3, or its name."`
	DecisionNote string         `json:"decisionNote,omitzero" maxLength:"1000" doc:"Why it was decided so."`
	Version      int64          `json:"version,omitzero" minimum:"1" doc:"The version that was seen, instead of If-Match."`
	Amount       *money.Amount  `json:"amount,omitzero"`
	Quantity     *sid.Quantity  `json:"quantity,omitzero"`
	BucketID     *id.ID         `json:"bucketID,omitzero"`
	UsageType    *string        `json:"usageType,omitzero" enum:"monetary,voice,data,sms,other"`
	Reason       *string        `json:"reasonCode,omitzero" minLength:"1" maxLength:"40"`
	Note         *string        `json:"csrInput,omitzero" maxLength:"1000"`
}

func (p adjustmentPatch) edits() bool {
	return p.Amount != nil || p.Quantity != nil || p.BucketID != nil || p.UsageType != nil || p.Reason != nil || p.Note != nil
}

type patchAdjustmentIn struct {
	Request *op.Request
	ID      id.ID  `path:"adjustmentId" doc:"Id of the adjustment."`
	IfMatch string `header:"If-Match" doc:"The ETag of the version that was seen." example:"\"v1\""`
	Body    adjustmentPatch
}

func (a *api) patchAdjustment(ctx context.Context, in *patchAdjustmentIn) (*adjustmentOut, error) {
	b := in.Body
	seen, err := versionSeen(in.IfMatch, b.Version)
	if err != nil {
		return nil, err
	}
	to := adjustment.State(b.Status)
	if len(b.StatusID) > 0 {
		named, err := adjustmentState(strings.Trim(string(b.StatusID), `"`))
		if err != nil {
			return nil, err
		}
		if to != "" && named != to {
			return nil, fault.Invalidf("statusId", "statusId says another status than status")
		}
		to = named
	}
	decides := to == adjustment.Approved || to == adjustment.Rejected
	switch {
	case to != "" && !decides && to != adjustment.Pending:
		return nil, fault.Invalidf("status", "a request is decided by APPROVED or REJECTED")
	case decides && b.edits():
		return nil, fault.Invalidf("status", "an adjustment is edited or decided, not both at once")
	case !decides && b.DecisionNote != "":
		return nil, fault.Invalidf("decisionNote", "decisionNote comes with a decision: APPROVED or REJECTED")
	case !decides && !b.edits() && to == "":
		return nil, fault.Invalidf("status", "nothing is to be changed: decide it by its status, or edit what is asked for")
	}
	d, v, err := a.decideOrEdit(ctx, in.ID, seen, to, b)
	if err != nil {
		return nil, err
	}
	return &adjustmentOut{ETag: op.ETag(d.Version), Body: adjusted(in.Request.BaseURL, d.ID, d.Version, v)}, nil
}

func (a *api) decideOrEdit(ctx context.Context, i id.ID, seen int64, to adjustment.State, b adjustmentPatch) (store.Doc, adjustment.Adjustment, error) {
	switch to {
	case adjustment.Approved:
		return a.Adjustments.Approve(ctx, i, seen, b.DecisionNote)
	case adjustment.Rejected:
		return a.Adjustments.Reject(ctx, i, seen, b.DecisionNote)
	}
	was, _, err := a.Adjustments.Adjustments.Get(ctx, i)
	if err != nil {
		return store.Doc{}, was, err
	}
	var amount *sid.Quantity
	if b.Amount != nil || b.Quantity != nil {
		q, _, err := asked(b.Amount, b.Quantity, &was.Bundle)
		if err != nil {
			return store.Doc{}, was, err
		}
		amount = &q
	}
	d, v, err := a.Adjustments.Edit(ctx, i, seen, func(v *adjustment.Asked) {
		set(&v.Amount, amount)
		set(&v.BucketID, b.BucketID)
		set(&v.UsageType, b.UsageType)
		set(&v.Reason, b.Reason)
		set(&v.Note, b.Note)
	})
	if err != nil {
		err = atQuantity(err, was.Bundle)
	}
	return d, v, err
}

// set takes over what was sent.
func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// versionSeen reads If-Match, or a version in the body that says the same; 0 is none.
func versionSeen(ifMatch string, version int64) (int64, error) {
	if ifMatch = strings.TrimSpace(ifMatch); ifMatch == "" || ifMatch == "*" {
		return version, nil
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimPrefix(ifMatch, `"v`), `"`), 10, 64)
	if err != nil || op.ETag(n) != ifMatch || n < 1 {
		return 0, fault.New(fault.Stale, fault.CodeStale, "If-Match is not the ETag of a version that there was")
	}
	if version != 0 && version != n {
		return 0, fault.Invalidf("version", "version says another version than If-Match")
	}
	return n, nil
}
