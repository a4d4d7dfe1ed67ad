package cm

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/api/tmf630"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/kernel/sid"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/voucher"
)

const (
	voucherPath = desk.Base + "/voucher"
	batchPath   = voucherPath + "/batch"
	batchByID   = batchPath + "/{id}"
	// largestImport is how many bytes a file of vouchers has at most.
	largestImport = 64 << 20
	importTime    = 2 * time.Minute
	// longestRecipient is how many characters may say for whom a file is.
	longestRecipient = 255
)

func (a *api) vouchers() []op.Operation {
	const tag = "Voucher"
	missing := []fault.Kind{fault.NotFound}
	refused := []fault.Kind{fault.NotFound, fault.Conflict, fault.Limit}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.subscription.voucherRecharge", Method: http.MethodPost, Path: desk.LinePath + "/voucherRecharge", Tag: tag,
			Summary: "Refill a subscription with a voucher",
			Description: "Name the subscription by subscriptionId or mobileNumber. Every refusal has a code of its own: subscriberNotFound, barredFromRefill, " +
				"refillTemporarilyBlocked, voucherUsedBySame, voucherUsedByOther, voucherUnavailable, voucherExpired, voucherStolenMissing, voucherDamaged, " +
				"voucherPending, voucherTypeNotAccepted, accountInactive. Codes that are no voucher's are counted: after several in a row (5 by default) " +
				"the subscription is blocked from refills for a while, and a dry run counts too.",
			Permission: desk.May("balance", auth.Post), Writes: true, Status: http.StatusCreated, Errors: refused, Before: a.admitVoucher, Codes: []string{"voucherCode"},
			Request: &op.Body{Example: map[string]any{"mobileNumber": "+41 79 000 00 00", "voucherCode": "1234 5678 9012 3456"}},
		}, a.voucherRecharge),
		op.Handle(op.Operation{
			ID: "cm.voucher.get", Method: http.MethodGet, Path: voucherPath, Tag: tag, Summary: "Validate a voucher",
			Description: "What a voucher is worth and whether it can be used; it is not spent. Name it by its serial number, or by its code in the header " +
				"Voucher-Code: a code in an address would stand in logs.",
			Permission: desk.May("balance", auth.Get), Status: http.StatusOK, Errors: refused,
		}, a.getVoucher),
		op.Handle(op.Operation{
			ID: "cm.voucher.patch", Method: http.MethodPatch, Path: voucherPath + "/{serialNumber}", Tag: tag, Summary: "Block a voucher, or let it be used again",
			Description: "By its serial number. A used voucher stays used, and one becomes available only if its batch is.",
			Permission:  desk.May("balance", auth.Patch), Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"voucherStatus": "stolenMissing", "statusReason": "van broken into"}},
		}, a.patchVoucher),
		op.Handle(op.Operation{
			ID: "cm.voucherBatch.create", Method: http.MethodPost, Path: batchPath, Tag: tag, Summary: "Generate a batch of vouchers",
			Description: "A job makes them; the batch tells how far it is. When its status is generated, its file can be handed out, once, and it can be made " +
				"available. Until then its vouchers are worth nothing.",
			Permission: desk.May("balance", auth.Post), Writes: true, Status: http.StatusCreated, Errors: []fault.Kind{fault.Conflict},
			Request: &op.Body{Example: map[string]any{
				"batchNumber": "2026-07", "count": 1000, "voucherAmount": map[string]any{"unit": "CHF", "value": 20}, "voucherShelfLife": "2036-12-31T00:00:00Z",
			}},
		}, a.createBatch),
		a.importBatch(tag),
		op.Handle(op.Operation{
			ID: "cm.voucherBatch.list", Method: http.MethodGet, Path: batchPath, Tag: tag, Summary: "List batches of vouchers",
			Description: "The oldest first.", Permission: desk.May("balance", auth.Get), Status: http.StatusOK, Also: desk.Pages(),
		}, a.listBatches),
		op.Handle(op.Operation{
			ID: "cm.voucherBatch.get", Method: http.MethodGet, Path: batchByID, Tag: tag, Summary: "Read a batch of vouchers",
			Description: "By its id or its number.", Permission: desk.May("balance", auth.Get), Status: http.StatusOK, Errors: missing,
		}, a.getBatch),
		op.Handle(op.Operation{
			ID: "cm.voucherBatch.patch", Method: http.MethodPatch, Path: batchByID, Tag: tag, Summary: "Make a batch of vouchers available, or block it",
			Description: "Holds at once for all its vouchers of which nothing else was said.",
			Permission:  desk.May("balance", auth.Patch), Writes: true, Status: http.StatusOK, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"voucherStatus": "available"}},
		}, a.patchBatch),
		a.handOut(tag),
	}
}

type rechargeRequest struct {
	SubscriptionID string `json:"subscriptionId,omitzero" doc:"Id of the subscription; its mobile number is understood too."`
	MobileNumber   string `json:"mobileNumber,omitzero" doc:"Mobile number in any spelling, instead of the id."`
	VoucherCode    string `json:"voucherCode" minLength:"1" maxLength:"64" doc:"The code as it is printed; spaces and hyphens are forgiven."`
}

type rechargeView struct {
	ID             id.ID        `json:"id" doc:"The top-up that the voucher paid."`
	SubscriptionID id.ID        `json:"subscriptionId"`
	Amount         money.Amount `json:"voucherAmount"`
	Bonus          money.Amount `json:"bonusAmount"`
	Total          money.Amount `json:"totalVoucherAmount"`
	Serial         string       `json:"serialNumber"`
	Balance        sid.Quantity `json:"balance" doc:"Money left now."`
	ValidUntil     *time.Time   `json:"validUntil,omitzero" doc:"When the money ends, where it does."`
	Type           string       `json:"@type"`
}

type rechargeIn struct{ Body rechargeRequest }

type rechargeOut struct{ Body rechargeView }

// refillLine finds the line of a refill.
func (a *api) refillLine(ctx context.Context, r rechargeRequest) (id.ID, error) {
	line, _, err := a.Resolve(ctx, r.SubscriptionID, r.MobileNumber)
	if fault.KindOf(err) == fault.NotFound {
		err = fault.New(fault.NotFound, voucher.SubscriberNotFound, "%s", fault.From(err).Message).At(fault.From(err).Attribute)
	}
	return line, err
}

// admitVoucher counts a bad code in a transaction of its own: the request's is undone when it is refused.
func (a *api) admitVoucher(ctx context.Context, r *op.Request) (context.Context, error) {
	var in rechargeRequest
	if err := json.Unmarshal(r.Body, &in); err != nil {
		return ctx, fault.New(fault.Invalid, fault.CodeMalformed, "the body cannot be read").Because(err)
	}
	line, err := a.refillLine(ctx, in)
	if err != nil {
		return ctx, err
	}
	return ctx, a.Vouchers.Admit(ctx, line, in.VoucherCode)
}

func (a *api) voucherRecharge(ctx context.Context, in *rechargeIn) (*rechargeOut, error) {
	line, err := a.refillLine(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	r, err := a.Vouchers.Recharge(ctx, line, in.Body.VoucherCode)
	if err != nil {
		return nil, err
	}
	v := a.voucherView(r.Voucher)
	out := rechargeView{
		ID: r.Topup, SubscriptionID: line, Amount: v.Amount, Bonus: v.Bonus, Total: v.Total, Serial: v.Serial,
		Balance: r.Balance.Remaining, Type: "VoucherRecharge",
	}
	if p := r.Balance.ValidFor; p != nil {
		out.ValidUntil = p.End
	}
	return &rechargeOut{out}, nil
}

type voucherView struct {
	Serial    string        `json:"serialNumber"`
	Batch     string        `json:"batchNumber"`
	Status    voucher.State `json:"voucherStatus" enum:"generated,available,pending,used,blocked,stolenMissing,damaged,expired"`
	Amount    money.Amount  `json:"voucherAmount"`
	Bonus     money.Amount  `json:"bonusAmount"`
	Total     money.Amount  `json:"totalVoucherAmount" doc:"Value and bonus together."`
	Duration  int           `json:"voucherDuration" doc:"Days that the money is good for after a refill at least, where its validity ends; 0 leaves it as it is."`
	ShelfLife *time.Time    `json:"voucherShelfLife,omitzero" doc:"From then on it is expired; left out when it never is."`
	Used      *time.Time    `json:"dateUsed,omitzero"`
	UsedBy    id.ID         `json:"subscriptionId,omitzero" doc:"The subscription that was refilled with it."`
	Topup     id.ID         `json:"topupId,omitzero" doc:"The top-up that it paid."`
	Type      string        `json:"@type"`
}

func (a *api) voucherView(s voucher.Shown) voucherView {
	v := voucherView{
		Serial: s.Voucher.Serial, Batch: s.Batch, Status: s.State, Amount: s.Terms.Value, Duration: s.Terms.Duration, ShelfLife: s.Terms.ShelfLife,
		Bonus: money.OfMicros(0, s.Terms.Value.Currency()), Used: s.Voucher.Used, UsedBy: s.Voucher.UsedBy, Topup: s.Voucher.Topup, Type: "Voucher",
	}
	if s.Terms.Bonus != nil {
		v.Bonus = *s.Terms.Bonus
	}
	v.Total = money.OfMicros(v.Amount.Micros()+v.Bonus.Micros(), v.Amount.Currency())
	return v
}

type voucherIn struct {
	Serial string `query:"serialNumber" doc:"Serial number of the voucher."`
	Code   string `header:"Voucher-Code" doc:"Code of the voucher, instead of its serial number."`
}

type voucherOut struct{ Body voucherView }

func (a *api) getVoucher(ctx context.Context, in *voucherIn) (*voucherOut, error) {
	if (in.Serial == "") == (in.Code == "") {
		return nil, fault.Invalidf("serialNumber", "say which voucher: serialNumber, or its code in the header Voucher-Code")
	}
	var s voucher.Shown
	var err error
	if in.Code != "" {
		s, err = a.Vouchers.ByPIN(ctx, in.Code)
	} else {
		s, err = a.Vouchers.BySerial(ctx, in.Serial)
	}
	if err != nil {
		return nil, err
	}
	return &voucherOut{a.voucherView(s)}, nil
}

type stateRequest struct {
	Status voucher.State `json:"voucherStatus" enum:"available,pending,blocked,stolenMissing,damaged"`
	Reason string        `json:"statusReason,omitzero" maxLength:"255"`
}

type patchVoucherIn struct {
	Serial string `path:"serialNumber" doc:"Serial number of the voucher."`
	Body   stateRequest
}

func (a *api) patchVoucher(ctx context.Context, in *patchVoucherIn) (*voucherOut, error) {
	s, err := a.Vouchers.Set(ctx, in.Serial, in.Body.Status, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &voucherOut{a.voucherView(s)}, nil
}

type batchRequest struct {
	Number      string        `json:"batchNumber,omitzero" maxLength:"32" doc:"Names the batch; drawn when it is left out."`
	VoucherType string        `json:"voucherType,omitzero" maxLength:"64" doc:"Your own name for the kind of vouchers."`
	Count       int           `json:"count" minimum:"1" maximum:"1000000"`
	Amount      money.Amount  `json:"voucherAmount"`
	Bonus       *money.Amount `json:"bonusAmount,omitzero" doc:"Granted on top."`
	Duration    int           `json:"voucherDuration,omitzero" minimum:"0" maximum:"3660" doc:"Days that the money is good for after a refill at least, where its validity ends."`
	ShelfLife   *time.Time    `json:"voucherShelfLife,omitzero" doc:"From then on they are expired."`
	Plans       []id.ID       `json:"productOffering,omitempty" doc:"Ids of the price plans whose subscriptions may use them; all prepaid ones when it is left out."`
	Prefix      string        `json:"serialPrefix,omitzero" maxLength:"16" doc:"Begins every serial number; the batch number by default."`
	PINLength   int           `json:"pinLength,omitzero" minimum:"14" maximum:"16" doc:"Digits of a code, 16 by default."`
}

type batchView struct {
	ID          id.ID         `json:"id"`
	Href        string        `json:"href"`
	Number      string        `json:"batchNumber"`
	Status      voucher.State `json:"voucherStatus" enum:"generating,generated,available,pending,blocked,stolenMissing,damaged"`
	Reason      string        `json:"statusReason,omitzero"`
	Origin      string        `json:"origin" enum:"generated,imported"`
	VoucherType string        `json:"voucherType,omitzero"`
	Count       int           `json:"count"`
	Made        int           `json:"made" doc:"How many there are yet."`
	Refused     int           `json:"refused" doc:"Rows of an import that could not be taken in."`
	Errors      []string      `json:"error,omitempty" doc:"The first of those rows, and why."`
	Amount      money.Amount  `json:"voucherAmount"`
	Bonus       *money.Amount `json:"bonusAmount,omitzero"`
	Duration    int           `json:"voucherDuration"`
	ShelfLife   *time.Time    `json:"voucherShelfLife,omitzero"`
	Plans       []id.ID       `json:"productOffering,omitempty"`
	Prefix      string        `json:"serialPrefix,omitzero"`
	HandedOut   *time.Time    `json:"handedOut,omitzero" doc:"When its file was handed out."`
	HandedOutTo string        `json:"handedOutTo,omitzero" doc:"For whom, as its taker said."`
	Created     time.Time     `json:"creationDate"`
	Type        string        `json:"@type"`
}

func showBatch(r *op.Request, i id.ID, b voucher.Batch) batchView {
	return batchView{
		ID: i, Href: r.BaseURL + batchPath + "/" + string(i), Number: b.Number, Status: b.State, Reason: b.Reason, Origin: b.Origin, VoucherType: b.VoucherType,
		Count: b.Count, Made: b.Made, Refused: b.Refused, Errors: b.Errors, Amount: b.Value, Bonus: b.Bonus, Duration: b.Duration, ShelfLife: b.ShelfLife,
		Plans: b.Plans, Prefix: b.Prefix, HandedOut: b.HandedOut, HandedOutTo: b.HandedOutTo, Created: b.Created, Type: b.Type,
	}
}

type createBatchIn struct {
	Request *op.Request
	Body    batchRequest
}

type createBatchOut struct {
	Location string `header:"Location"`
	Body     batchView
}

func (a *api) createBatch(ctx context.Context, in *createBatchIn) (*createBatchOut, error) {
	i, b, err := a.Vouchers.Generate(ctx, voucher.NewBatch{
		Number: in.Body.Number, VoucherType: in.Body.VoucherType, Count: in.Body.Count, Prefix: in.Body.Prefix, PINLength: in.Body.PINLength,
		Terms: voucher.Terms{Value: in.Body.Amount, Bonus: in.Body.Bonus, Duration: in.Body.Duration, ShelfLife: in.Body.ShelfLife, Plans: in.Body.Plans},
	})
	if err != nil {
		return nil, err
	}
	v := showBatch(in.Request, i, b)
	return &createBatchOut{Location: v.Href, Body: v}, nil
}

// importBatch takes a file as it is, so it is declared without types.
func (a *api) importBatch(tag string) op.Operation {
	text := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }
	return op.Operation{
		ID: "cm.voucherBatch.import", Method: http.MethodPost, Path: batchPath + "/import", Tag: tag, Summary: "Import a batch of vouchers",
		Description: "A CSV file with a heading: serialNumber, voucherCode (or pinHash, for vouchers of another installation with the same secret), and where they " +
			"differ from what the query says voucherAmount, bonusAmount, voucherDuration (days), voucherShelfLife (a date or moment) and voucherStatus. " +
			"A file in which a row is wrong is refused as a whole, with the lines; rows whose serial number or code another voucher has are told by the batch.",
		Permission: desk.May("balance", auth.Post), Writes: true, Status: http.StatusCreated, Errors: []fault.Kind{fault.Conflict},
		BodyLimit: largestImport, Timeout: importTime,
		Params: []op.Param{
			{Name: "voucherAmount", In: "query", Required: true, Description: "What one is worth, where its row does not say.", Schema: text(), Example: "20.00"},
			{Name: "currency", In: "query", Description: "Currency of the amounts (ISO 4217); the service provider's by default.", Schema: text(), Example: "CHF"},
			{Name: "batchNumber", In: "query", Description: "Names the batch; drawn when it is left out.", Schema: text()},
			{Name: "voucherType", In: "query", Description: "Your own name for the kind of vouchers.", Schema: text()},
			{Name: "voucherDuration", In: "query", Description: "Days, where the row does not say.", Schema: &huma.Schema{Type: huma.TypeInteger}},
		},
		Request:  &op.Body{ContentTypes: []string{"text/csv"}, Schema: text(), Example: "serialNumber,voucherCode\nA0000001,1234567890123456\n"},
		Response: &op.Body{SchemaName: "BatchView", Description: "The batch; a job takes its vouchers in."},
		Prepare:  a.prepareImport,
	}
}

func (a *api) prepareImport(r *op.Request) (op.Call, error) {
	days, err := number(r.Query, "voucherDuration")
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*op.Response, error) {
		currency := money.Currency(r.Query.Get("currency"))
		if currency == "" {
			p, err := a.Providers.Current(ctx)
			if err != nil {
				return nil, err
			}
			currency = p.Currency
		}
		value, err := money.Parse(r.Query.Get("voucherAmount"), currency)
		if err != nil {
			return nil, fault.From(err).At("voucherAmount")
		}
		i, b, err := a.Vouchers.Import(ctx, voucher.NewBatch{
			Number: r.Query.Get("batchNumber"), VoucherType: r.Query.Get("voucherType"), Terms: voucher.Terms{Value: value, Duration: days},
		}, bytes.NewReader(r.Body))
		if err != nil {
			return nil, err
		}
		v := showBatch(r, i, b)
		body, err := json.Marshal(v)
		if err != nil {
			return nil, fault.Internalf(err, "the answer cannot be written")
		}
		return &op.Response{Header: http.Header{"Location": {v.Href}}, Body: body}, nil
	}, nil
}

func number(q url.Values, name string) (int, error) {
	if !q.Has(name) {
		return 0, nil
	}
	n, err := strconv.Atoi(q.Get(name))
	if err != nil {
		return 0, fault.Invalidf(name, "must be a whole number")
	}
	return n, nil
}

type listBatchesIn struct {
	desk.PageIn
	Status voucher.State `query:"voucherStatus" enum:"generating,generated,available,pending,blocked,stolenMissing,damaged" doc:"Only batches in this state."`
}

type listBatchesOut struct {
	tmf630.Page
	Body []batchView
}

func (a *api) listBatches(ctx context.Context, in *listBatchesIn) (*listBatchesOut, error) {
	if err := desk.Said(in.Request, "voucherStatus"); err != nil {
		return nil, err
	}
	q := store.Query{Offset: in.Offset, Limit: in.Limit}
	if in.Status != "" {
		q.Filters = []store.Filter{{Path: []string{"voucherStatus"}, Op: store.Eq, Values: []string{string(in.Status)}, Type: store.Text}}
	}
	page, err := a.Vouchers.Batches.Docs(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &listBatchesOut{Page: in.Of(batchPath, len(page.Items), page.Total)}
	out.Body, err = desk.Viewed(page, func(i id.ID, b voucher.Batch) batchView { return showBatch(in.Request, i, b) })
	return out, err
}

type batchIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id or number of the batch."`
}

type batchOut struct{ Body batchView }

func (a *api) getBatch(ctx context.Context, in *batchIn) (*batchOut, error) {
	i, b, err := a.Vouchers.Batch(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &batchOut{showBatch(in.Request, i, b)}, nil
}

type patchBatchIn struct {
	batchIn
	Body stateRequest
}

func (a *api) patchBatch(ctx context.Context, in *patchBatchIn) (*batchOut, error) {
	i, _, err := a.Vouchers.Batch(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	b, err := a.Vouchers.SetBatch(ctx, i, in.Body.Status, in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &batchOut{showBatch(in.Request, i, b)}, nil
}

// handOut answers with a file, so it is declared without types. It is no GET: it can be done once.
func (a *api) handOut(tag string) op.Operation {
	return op.Operation{
		ID: "cm.voucherBatch.file", Method: http.MethodPost, Path: batchByID + "/file", Tag: tag, Summary: "Hand out a batch's serial numbers and codes",
		Description: "A CSV file with the columns serialNumber and voucherCode. The codes are not kept: a file that is lost on its way is replaced by a new batch, " +
			"and costs nothing as long as this one was not made available.",
		Permission: desk.May("balance", auth.Post), Writes: true, Reveals: true, Status: http.StatusOK, Timeout: importTime,
		Errors:   []fault.Kind{fault.NotFound, fault.Conflict},
		Params:   []op.Param{{Name: "id", In: "path", Required: true, Description: "Id or number of the batch.", Schema: &huma.Schema{Type: huma.TypeString}}},
		Response: &op.Body{ContentTypes: []string{"text/csv"}, Schema: &huma.Schema{Type: huma.TypeString}, Example: "serialNumber,voucherCode\n2026-07-0000001,1234567890123456\n"},
		Request: &op.Body{
			Optional: true, Example: map[string]any{"recipient": "Print Shop Meier, Bern"},
			Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{
				"recipient": {Type: huma.TypeString, Description: "For whom it is; the batch remembers."},
			}},
		},
		Prepare: func(r *op.Request) (op.Call, error) {
			var in struct {
				Recipient string `json:"recipient"`
			}
			if r.Body != nil {
				if err := json.Unmarshal(r.Body, &in, json.RejectUnknownMembers(true)); err != nil || len(in.Recipient) > longestRecipient {
					return nil, fault.Invalidf("recipient", "the body may say for whom the file is: recipient, a text of at most %d characters", longestRecipient).Because(err)
				}
			}
			return func(ctx context.Context) (*op.Response, error) {
				i, _, err := a.Vouchers.Batch(ctx, r.Path["id"])
				if err != nil {
					return nil, err
				}
				file, err := a.Vouchers.HandOut(ctx, i, in.Recipient)
				if err != nil {
					return nil, err
				}
				return &op.Response{Body: []byte(file), ContentType: "text/csv;charset=utf-8"}, nil
			}, nil
		},
	}
}
