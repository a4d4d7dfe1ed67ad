package care

import (
	"context"
	"net/http"
	"time"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/autotopup"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
)

func (a *api) schedules() []op.Operation {
	const tag = "Payment schedule"
	look, may := desk.May("billingAccount", auth.Get), desk.May("billingAccount", auth.Patch)
	missing, refused := []fault.Kind{fault.NotFound}, []fault.Kind{fault.NotFound, fault.Conflict}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.schedule.create", Method: http.MethodPost, Path: gatewayPath + "/createSchedule", Tag: tag, Summary: "Set up an automatic top-up",
			Description: "A stored payment token pays into a subscription's balance: once at a date, every week, fortnight or month, or whenever the balance " +
				"falls below a threshold. What is left out follows from the rest: a recurringPeriod recurs, a threshold is of the balance, a nextApplication " +
				"alone is a date; of nothing at all the service provider's rule is taken. A subscription has one schedule. Every refusal has a code of its own: " +
				"noSuchAccount, noSuchSubscription, nonResponsibleAccount, invalidValue, noSuchToken, creationNotAllowed.",
			Permission: may, Writes: true, Status: http.StatusCreated, Errors: refused,
			Request: &op.Body{Example: map[string]any{
				"mobileNumber": "+41 79 000 00 00", "tokenID": "ptk_01jd0000000000000000000000", "amount": map[string]any{"unit": "CHF", "value": 20},
				"recurringPeriod": "monthly", "nextApplication": "2031-02-28",
			}},
		}, a.createSchedule),
		op.Handle(op.Operation{
			ID: "cm.schedule.get", Method: http.MethodGet, Path: gatewayPath + "/readSchedule", Tag: tag, Summary: "Read an automatic top-up",
			Description: "By scheduleID, or by the subscription that has it.", Permission: look, Status: http.StatusOK, Errors: missing,
		}, a.readSchedule),
		op.Handle(op.Operation{
			ID: "cm.schedule.list", Method: http.MethodGet, Path: gatewayPath + "/schedule", Tag: tag, Summary: "List automatic top-ups",
			Description: "The oldest first, those that are over too.", Permission: look, Status: http.StatusOK, Also: desk.Pages(), Errors: missing,
		}, a.listSchedules),
		op.Handle(op.Operation{
			ID: "cm.schedule.patch", Method: http.MethodPatch, Path: gatewayPath + "/updateSchedule", Tag: tag, Summary: "Change an automatic top-up",
			Description: "What is left out stays. The status suspends it or makes it active again. A payment under way goes on.",
			Permission:  may, Writes: true, Status: http.StatusOK, Errors: refused,
			Request: &op.Body{Example: map[string]any{"amount": map[string]any{"unit": "CHF", "value": 30}}},
		}, a.patchSchedule),
		op.Handle(op.Operation{
			ID: "cm.schedule.delete", Method: http.MethodDelete, Path: gatewayPath + "/deleteSchedule", Tag: tag, Summary: "Cancel an automatic top-up",
			Description: "A payment under way goes on.", Permission: may, Writes: true, Status: http.StatusNoContent, Errors: missing,
		}, a.deleteSchedule),
	}
}

type scheduleRequest struct {
	AccountID      string        `json:"accountID,omitzero" maxLength:"64" doc:"The account that pays, by its id or its number; the subscription's by default."`
	SubscriptionID string        `json:"subscriptionId,omitzero" doc:"Id of the subscription; its mobile number is understood too."`
	MobileNumber   string        `json:"mobileNumber,omitzero" doc:"Mobile number in any spelling, instead of the id."`
	TokenID        id.ID         `json:"tokenID" minLength:"1" doc:"Id of the account's payment token."`
	Amount         money.Amount  `json:"amount" doc:"In the currency of the account."`
	Trigger        string        `json:"scheduleType,omitzero" enum:"byDate,recurring,lowBalance"`
	Next           string        `json:"nextApplication,omitzero" maxLength:"64" doc:"A moment, or a day, which begins at midnight in the service provider's time zone." example:"2031-02-28"`
	Period         string        `json:"recurringPeriod,omitzero" enum:"weekly,fortnightly,monthly"`
	Threshold      *money.Amount `json:"threshold,omitzero" doc:"A top-up is due when the balance falls below it."`
	DailyLimit     int           `json:"dailyLimit,omitzero" minimum:"1" maximum:"100" doc:"The most top-ups by low balance in a day."`
	MonthlyLimit   int           `json:"monthlyLimit,omitzero" minimum:"1" maximum:"1000" doc:"The most top-ups by low balance in a calendar month."`
}

type schedulePatch struct {
	TokenID      *id.ID            `json:"tokenID,omitzero" doc:"Id of another payment token of the account."`
	Amount       *money.Amount     `json:"amount,omitzero"`
	Next         string            `json:"nextApplication,omitzero" maxLength:"64" doc:"A moment, or a day; what recurs goes on from it."`
	Period       *string           `json:"recurringPeriod,omitzero" enum:"weekly,fortnightly,monthly"`
	Threshold    *money.Amount     `json:"threshold,omitzero"`
	DailyLimit   *int              `json:"dailyLimit,omitzero" minimum:"1" maximum:"100"`
	MonthlyLimit *int              `json:"monthlyLimit,omitzero" minimum:"1" maximum:"1000"`
	Status       *autotopup.Status `json:"status,omitzero" enum:"active,suspended"`
}

type scheduleView struct {
	ID             id.ID             `json:"scheduleID"`
	Result         string            `json:"result" enum:"success"`
	Status         autotopup.Status  `json:"status" enum:"active,suspended,completed,ended"`
	Reason         string            `json:"statusReason,omitzero" enum:"requested,paymentRefused,tokenDeleted,subscriptionEnded"`
	AccountID      id.ID             `json:"accountID"`
	SubscriptionID id.ID             `json:"subscriptionId"`
	TokenID        id.ID             `json:"tokenID"`
	Amount         money.Amount      `json:"amount"`
	Trigger        autotopup.Trigger `json:"scheduleType" enum:"byDate,recurring,lowBalance"`
	Period         string            `json:"recurringPeriod,omitzero" enum:"weekly,fortnightly,monthly"`
	Threshold      *money.Amount     `json:"threshold,omitzero"`
	DailyLimit     int               `json:"dailyLimit,omitzero"`
	MonthlyLimit   int               `json:"monthlyLimit,omitzero"`
	Next           *time.Time        `json:"nextApplication,omitzero" doc:"When a payment is due; left out while one is under way, and while the balance is not low."`
	Payment        id.ID             `json:"paymentUnderWay,omitzero"`
	Refusal        *scheduleRefusal  `json:"refusal,omitzero" doc:"What became of the last payment, where it was refused."`
	Applications   int               `json:"applications" doc:"How often it was paid."`
	Last           *scheduleApplied  `json:"lastApplication,omitzero"`
	Created        time.Time         `json:"creationDate"`
	Type           string            `json:"@type"`
}

type scheduleRefusal struct {
	Times  int       `json:"times" doc:"How often in a row."`
	Date   time.Time `json:"date"`
	Reason string    `json:"reason,omitzero"`
}

type scheduleApplied struct {
	Date    time.Time `json:"date"`
	Payment id.ID     `json:"paymentId"`
}

func showSchedule(i id.ID, v autotopup.Schedule) scheduleView {
	out := scheduleView{
		ID: i, Result: "success", Status: v.Status, Reason: v.Reason, AccountID: v.AccountID, SubscriptionID: v.SubscriptionID, TokenID: v.TokenID,
		Amount: v.Amount, Trigger: v.Trigger, Period: v.Period, Threshold: v.Threshold, DailyLimit: v.DailyLimit, MonthlyLimit: v.MonthlyLimit,
		Next: v.Next, Payment: v.Payment, Applications: v.Applications, Created: v.Created, Type: v.Type,
	}
	if r := v.Refusal; r != nil {
		out.Refusal = &scheduleRefusal{Times: r.Times, Date: r.Date, Reason: r.Reason}
	}
	if l := v.Last; l != nil {
		out.Last = &scheduleApplied{Date: l.Date, Payment: l.Payment}
	}
	return out
}

// moment reads a moment, or a day of the service provider's.
func (a *api) moment(ctx context.Context, attribute, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		at = at.UTC()
		return &at, nil
	}
	rules, err := a.Providers.Rules(ctx)
	if err != nil {
		return nil, err
	}
	at, err := time.ParseInLocation(time.DateOnly, text, rules.Location())
	if err != nil {
		return nil, fault.Invalidf(attribute, "must be a moment such as 2031-02-28T10:00:00Z, or a day such as 2031-02-28")
	}
	at = at.UTC()
	return &at, nil
}

// scheduleLine finds the line of a schedule under the code that operators' systems know.
func (a *api) scheduleLine(ctx context.Context, subscriptionID, mobileNumber string) (id.ID, error) {
	line, _, err := a.Resolve(ctx, subscriptionID, mobileNumber)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.NotFound, autotopup.CodeNoSubscription, "%s", fault.From(err).Message).At("subscriptionId")
	}
	return line, err
}

type createScheduleIn struct {
	Request *op.Request
	Body    scheduleRequest
}

type createScheduleOut struct {
	Location string `header:"Location"`
	Body     scheduleView
}

func (a *api) createSchedule(ctx context.Context, in *createScheduleIn) (*createScheduleOut, error) {
	line, err := a.scheduleLine(ctx, in.Body.SubscriptionID, in.Body.MobileNumber)
	if err != nil {
		return nil, err
	}
	payer := id.ID("")
	if in.Body.AccountID != "" {
		payer, err = a.owner(ctx, in.Body.AccountID)
		if fault.KindOf(err) == fault.NotFound {
			err = fault.New(fault.NotFound, autotopup.CodeNoAccount, "%s", fault.From(err).Message).At("accountID")
		}
		if err != nil {
			return nil, err
		}
	}
	next, err := a.moment(ctx, "nextApplication", in.Body.Next)
	if err != nil {
		return nil, err
	}
	i, v, err := a.AutoTopups.Create(ctx, autotopup.Wish{
		Account: payer, Line: line, Token: in.Body.TokenID, Amount: in.Body.Amount, Trigger: autotopup.Trigger(in.Body.Trigger), Next: next,
		Period: in.Body.Period, Threshold: in.Body.Threshold, DailyLimit: in.Body.DailyLimit, MonthlyLimit: in.Body.MonthlyLimit,
	})
	if err != nil {
		return nil, err
	}
	return &createScheduleOut{Location: in.Request.BaseURL + gatewayPath + "/readSchedule?scheduleID=" + string(i), Body: showSchedule(i, v)}, nil
}

type scheduleKey struct {
	ID id.ID `query:"scheduleID" required:"true" doc:"Id of the schedule, as createSchedule gave it."`
}

type readScheduleIn struct {
	desk.LineKey
	ID id.ID `query:"scheduleID" doc:"Id of the schedule, as createSchedule gave it."`
}

type scheduleOut struct{ Body scheduleView }

func (a *api) readSchedule(ctx context.Context, in *readScheduleIn) (*scheduleOut, error) {
	i := in.ID
	if i == "" {
		if in.SubscriptionID == "" && in.MobileNumber == "" {
			return nil, fault.Invalidf("scheduleID", "say which schedule: scheduleID, or the subscriptionId or mobileNumber that has it")
		}
		line, err := a.scheduleLine(ctx, in.SubscriptionID, in.MobileNumber)
		if err != nil {
			return nil, err
		}
		if i, err = a.AutoTopups.OfLine(ctx, line); err != nil {
			return nil, err
		}
		if i == "" {
			return nil, fault.New(fault.NotFound, autotopup.CodeNoSchedule, "the subscription has no automatic top-up").At("subscriptionId")
		}
	}
	v, err := a.AutoTopups.Read(ctx, i)
	if err != nil {
		return nil, err
	}
	return &scheduleOut{showSchedule(i, v)}, nil
}

type listSchedulesIn struct {
	desk.PageIn
	desk.LineKey
	AccountID id.ID            `query:"accountID" doc:"Only schedules that this account pays."`
	TokenID   id.ID            `query:"tokenID" doc:"Only schedules that this token pays."`
	Status    autotopup.Status `query:"status" enum:"active,suspended,completed,ended" doc:"Only schedules in this state."`
}

type listSchedulesOut struct {
	tmf630.Page
	Body []scheduleView
}

func (a *api) listSchedules(ctx context.Context, in *listSchedulesIn) (*listSchedulesOut, error) {
	if err := desk.Said(in.Request, "accountID", "tokenID", "status", "subscriptionId", "mobileNumber"); err != nil {
		return nil, err
	}
	asked := autotopup.Asked{Account: in.AccountID, Token: in.TokenID, Status: in.Status, Offset: in.Offset, Limit: in.Limit}
	if in.SubscriptionID != "" || in.MobileNumber != "" {
		line, err := a.scheduleLine(ctx, in.SubscriptionID, in.MobileNumber)
		if err != nil {
			return nil, err
		}
		asked.Line = line
	}
	page, err := a.AutoTopups.Schedules.Docs(ctx, asked.Query())
	if err != nil {
		return nil, err
	}
	out := &listSchedulesOut{Page: in.Of(gatewayPath+"/schedule", len(page.Items), page.Total)}
	out.Body, err = desk.Viewed(page, showSchedule)
	return out, err
}

type patchScheduleIn struct {
	scheduleKey
	Body schedulePatch
}

func (a *api) patchSchedule(ctx context.Context, in *patchScheduleIn) (*scheduleOut, error) {
	next, err := a.moment(ctx, "nextApplication", in.Body.Next)
	if err != nil {
		return nil, err
	}
	v, err := a.AutoTopups.Change(ctx, in.ID, autotopup.Change{
		Amount: in.Body.Amount, Token: in.Body.TokenID, Next: next, Period: in.Body.Period, Threshold: in.Body.Threshold,
		DailyLimit: in.Body.DailyLimit, MonthlyLimit: in.Body.MonthlyLimit, Status: in.Body.Status,
	})
	if err != nil {
		return nil, err
	}
	return &scheduleOut{showSchedule(in.ID, v)}, nil
}

func (a *api) deleteSchedule(ctx context.Context, in *scheduleKey) (*struct{}, error) {
	return nil, a.AutoTopups.Delete(ctx, in.ID)
}
