// Package nchf is the façade of converged charging, Nchf_ConvergedCharging (TS 32.291): a network function asks how
// much a subscriber may use, tells what was used, and is told when it is enough. What it means is decided in usage.
//
// It is a faithful part of the API: chargingdata with its create, update and release; rating groups with requested, used and
// granted units of time, volume or service specific units. What a request says beyond that is kept to itself.
package nchf

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json"

	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/rating"
	"github.com/demarc-bss/demarc/internal/usage"
)

const path = "/nchf-convergedcharging/v3/chargingdata"

// Deps are what the façade shows.
type Deps struct{ Usage *usage.Service }

type api struct{ Deps }

// Operations are all operations of the façade.
func Operations(d Deps) []op.Operation {
	a := &api{d}
	f := &op.Facade{
		Name: "nchf", Title: "Nchf_ConvergedCharging", Version: "3.0.0",
		Description: "Converged charging of sessions (3GPP TS 32.291): reserve, consume, release.",
		Prefixes:    []string{"/nchf-convergedcharging/"}, Problem: problem, ProblemSchema: problemSchema(),
	}
	write := []auth.Permission{{Entity: "usage", Verb: auth.Post}}
	refused := []fault.Kind{fault.NotFound, fault.Forbidden, fault.Conflict}
	const tag = "ChargingData"
	example := func(n int) map[string]any {
		return map[string]any{
			"subscriberIdentifier": "msisdn-41790000001", "nfConsumerIdentification": map[string]any{"nodeFunctionality": "SMF"},
			"invocationTimeStamp": "2026-01-31T09:30:00Z", "invocationSequenceNumber": n,
			"multipleUnitUsage": []any{map[string]any{
				"ratingGroup": 10, "requestedUnit": map[string]any{"totalVolume": 10_000_000},
				"usedUnitContainer": []any{map[string]any{"localSequenceNumber": 1, "totalVolume": 0}},
			}},
		}
	}
	all := []op.Operation{
		op.Handle(op.Operation{
			ID: "nchf.chargingdata.create", Method: http.MethodPost, Path: path, Tag: tag, Summary: "Open a charging session",
			Description: "Location is the session. The same request again, with the same chargingId, opens no second one.",
			Permission:  write, Writes: true, Status: http.StatusCreated, Errors: refused, Request: &op.Body{Example: example(1)},
		}, a.create),
		op.Handle(op.Operation{
			ID: "nchf.chargingdata.update", Method: http.MethodPost, Path: path + "/{ChargingDataRef}/update", Tag: tag, Summary: "Tell what was used, and ask for more",
			Description: "The last invocationSequenceNumber again is answered as it was and changes nothing.",
			Permission:  write, Writes: true, Status: http.StatusOK, Errors: refused, Request: &op.Body{Example: example(2)},
		}, a.update),
		op.Handle(op.Operation{
			ID: "nchf.chargingdata.release", Method: http.MethodPost, Path: path + "/{ChargingDataRef}/release", Tag: tag, Summary: "End a charging session",
			Description: "What is left of what was reserved is given back.",
			Permission:  write, Writes: true, Status: http.StatusNoContent, Errors: refused, Request: &op.Body{Example: example(3)},
		}, a.release),
	}
	for n := range all {
		all[n].Facade = f
	}
	return all
}

// request is a ChargingDataRequest.
type request struct {
	Subscriber string         `json:"subscriberIdentifier,omitzero" doc:"SUPI or GPSI: imsi-… or msisdn-…" example:"msisdn-41790000001"`
	ChargingID *int64         `json:"chargingId,omitzero" doc:"Names the session: by it an opening is known when it comes again."`
	Consumer   consumer       `json:"nfConsumerIdentification,omitzero"`
	Timestamp  time.Time      `json:"invocationTimeStamp,omitzero"`
	Sequence   int64          `json:"invocationSequenceNumber" minimum:"0"`
	Units      []unitUsage    `json:"multipleUnitUsage,omitempty" maxItems:"50"`
	PDU        pduInformation `json:"pDUSessionChargingInformation,omitzero"`
	IMS        imsInformation `json:"iMSChargingInformation,omitzero"`
	SMS        smsInformation `json:"sMSChargingInformation,omitzero"`
}

type consumer struct {
	NodeFunctionality string  `json:"nodeFunctionality,omitzero"`
	PLMN              *plmnID `json:"nFPLMNID,omitzero" doc:"The network that serves the subscriber."`
}

type plmnID struct {
	MCC string `json:"mcc" pattern:"^[0-9]{3}$"`
	MNC string `json:"mnc" pattern:"^[0-9]{2,3}$"`
}

type pduInformation struct {
	User struct {
		GPSI string `json:"servedGPSI,omitzero"`
	} `json:"userInformation,omitzero"`
}

type imsInformation struct {
	Called string `json:"calledPartyAddress,omitzero" doc:"The number called: tel:+… or digits."`
}

type smsInformation struct {
	Recipients []struct {
		GPSI string `json:"recipientGPSI,omitzero"`
	} `json:"recipientInfo,omitempty"`
}

// unitUsage is a MultipleUnitUsage.
type unitUsage struct {
	RatingGroup int64   `json:"ratingGroup" minimum:"0"`
	Requested   *units  `json:"requestedUnit,omitzero" doc:"What is asked for; empty for as much as is usual."`
	Used        []units `json:"usedUnitContainer,omitempty"`
}

// units are a RequestedUnit, UsedUnitContainer or GrantedUnit.
type units struct {
	Time     *int64 `json:"time,omitzero" minimum:"0" doc:"Seconds."`
	Total    *int64 `json:"totalVolume,omitzero" minimum:"0" doc:"Bytes."`
	Uplink   *int64 `json:"uplinkVolume,omitzero" minimum:"0"`
	Downlink *int64 `json:"downlinkVolume,omitzero" minimum:"0"`
	Specific *int64 `json:"serviceSpecificUnits,omitzero" minimum:"0" doc:"Messages."`
	// Local counts the containers of a session.
	Local int64 `json:"localSequenceNumber,omitzero"`
}

// response is a ChargingDataResponse.
type response struct {
	Timestamp time.Time         `json:"invocationTimeStamp"`
	Sequence  int64             `json:"invocationSequenceNumber"`
	Units     []unitInformation `json:"multipleUnitInformation,omitempty"`
}

// unitInformation is a MultipleUnitInformation.
type unitInformation struct {
	Result      string     `json:"resultCode" enum:"SUCCESS,END_USER_SERVICE_DENIED,QUOTA_LIMIT_REACHED,RATING_FAILED"`
	RatingGroup int64      `json:"ratingGroup"`
	Granted     *units     `json:"grantedUnit,omitzero"`
	Validity    int64      `json:"validityTime,omitzero" doc:"Seconds."`
	Final       *finalUnit `json:"finalUnitIndication,omitzero"`
}

type finalUnit struct {
	Action string `json:"finalUnitAction" enum:"TERMINATE"`
}

type createIn struct {
	Request *op.Request
	Body    request
}

type createOut struct {
	Location string `header:"Location"`
	Body     response
}

func (a *api) create(ctx context.Context, in *createIn) (*createOut, error) {
	b := in.Body
	all, err := b.units()
	if err != nil {
		return nil, err
	}
	o := usage.Opening{Sequence: b.Sequence, Units: all}
	if err := b.identify(&o); err != nil {
		return nil, err
	}
	i, v, err := a.Usage.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &createOut{Location: in.Request.BaseURL + path + "/" + string(i), Body: answer(b, v)}, nil
}

type refIn struct {
	Ref  string `path:"ChargingDataRef" doc:"The session, as Location named it."`
	Body request
}

type updateOut struct{ Body response }

func (a *api) update(ctx context.Context, in *refIn) (*updateOut, error) {
	all, err := in.Body.units()
	if err != nil {
		return nil, err
	}
	v, err := a.Usage.Update(ctx, id.ID(in.Ref), in.Body.Sequence, all)
	if err != nil {
		return nil, err
	}
	return &updateOut{Body: answer(in.Body, v)}, nil
}

type releaseOut struct{}

func (a *api) release(ctx context.Context, in *refIn) (*releaseOut, error) {
	all, err := in.Body.units()
	if err != nil {
		return nil, err
	}
	return nil, a.Usage.Release(ctx, id.ID(in.Ref), in.Body.Sequence, all)
}

// identify says whose session it is, with whom and where.
func (b *request) identify(o *usage.Opening) error {
	for _, name := range []string{b.PDU.User.GPSI, b.Subscriber} {
		kind, value, _ := strings.Cut(name, "-")
		switch kind {
		case "msisdn":
			o.Record.MSISDN = value
		case "imsi":
			o.IMSI = value
		}
	}
	if o.Record.MSISDN == "" && o.IMSI == "" {
		return fault.Invalidf("subscriberIdentifier", "subscriberIdentifier is mandatory: imsi-… or msisdn-…")
	}
	if o.Record.MSISDN != "" {
		o.IMSI = ""
	}
	if b.ChargingID != nil {
		o.Record.ID = strconv.FormatInt(*b.ChargingID, 10)
	}
	o.Record.Source = "nchf"
	o.Record.Other = strings.TrimPrefix(b.IMS.Called, "tel:")
	if len(b.SMS.Recipients) > 0 {
		o.Record.Other = strings.TrimPrefix(b.SMS.Recipients[0].GPSI, "msisdn-")
	}
	if p := b.Consumer.PLMN; p != nil {
		o.Record.Network = p.MCC + p.MNC
	}
	return nil
}

// units reads what is used and asked for. What kind of usage a rating group is follows from its units.
func (b *request) units() ([]usage.Unit, error) {
	out := make([]usage.Unit, 0, len(b.Units))
	for n, u := range b.Units {
		one := usage.Unit{RatingGroup: u.RatingGroup}
		at := "multipleUnitUsage[" + strconv.Itoa(n) + "]"
		for _, used := range u.Used {
			kind, count := used.read()
			if one.UsageType != "" && kind != "" && kind != one.UsageType {
				return nil, fault.Invalidf(at+".usedUnitContainer", "a rating group counts time, volume or service specific units, and not several of them")
			}
			if kind != "" {
				one.UsageType = kind
			}
			one.Used += count
		}
		if u.Requested != nil {
			kind, count := u.Requested.read()
			if one.UsageType != "" && kind != "" && kind != one.UsageType {
				return nil, fault.Invalidf(at+".requestedUnit", "what is asked for is counted as what was used")
			}
			if kind != "" {
				one.UsageType = kind
			}
			one.Requested = &count
		}
		if one.UsageType == "" {
			one.UsageType = rating.Data
		}
		out = append(out, one)
	}
	return out, nil
}

func (u *units) read() (kind string, count int64) {
	switch {
	case u.Time != nil:
		return rating.Voice, *u.Time
	case u.Specific != nil:
		return rating.SMS, *u.Specific
	case u.Total != nil:
		return rating.Data, *u.Total
	}
	for _, part := range []*int64{u.Uplink, u.Downlink} {
		if part != nil {
			kind, count = rating.Data, count+*part
		}
	}
	return kind, count
}

// answer shows what was granted.
func answer(b request, v usage.Session) response {
	out := response{Timestamp: b.Timestamp, Sequence: v.Sequence}
	if out.Timestamp.IsZero() {
		out.Timestamp = v.ValidUntil.Add(-usage.Validity)
	}
	for _, g := range v.Answer {
		u := unitInformation{Result: result(g), RatingGroup: g.RatingGroup}
		if g.Granted > 0 {
			u.Granted, u.Validity = granted(g), int64(usage.Validity/time.Second)
		}
		if g.Final {
			u.Final = &finalUnit{Action: "TERMINATE"}
		}
		out.Units = append(out.Units, u)
	}
	return out
}

func granted(g usage.Grant) *units {
	n := g.Granted
	switch g.UsageType {
	case rating.Voice:
		return &units{Time: &n}
	case rating.SMS:
		return &units{Specific: &n}
	}
	return &units{Total: &n}
}

// result is a grant's ResultCode.
func result(g usage.Grant) string {
	switch g.Refused {
	case "":
		return "SUCCESS"
	case string(rating.ShortOfMoney), string(rating.ShortOfLimit):
		return "QUOTA_LIMIT_REACHED"
	case string(usage.LineNotActive):
		return "END_USER_SERVICE_DENIED"
	}
	return "RATING_FAILED"
}

// causes are the codes that TS 32.291 has an own name for.
var causes = map[fault.Code]string{
	usage.CodeUserUnknown: "USER_UNKNOWN", usage.CodeDenied: "END_USER_REQUEST_DENIED",
	fault.CodeNotFound: "CHARGING_DATA_REF_UNKNOWN", fault.CodeInvalid: "INVALID_MSG_FORMAT", fault.CodeMalformed: "INVALID_MSG_FORMAT",
}

type invalidParam struct {
	Param  string `json:"param"`
	Reason string `json:"reason"`
}

type problemDetails struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Status   int            `json:"status"`
	Detail   string         `json:"detail"`
	Instance string         `json:"instance,omitzero"`
	Cause    string         `json:"cause"`
	Invalid  []invalidParam `json:"invalidParams,omitempty"`
}

// problem shows a fault as ProblemDetails (TS 29.571, RFC 9457); cause is its application error.
func problem(f *fault.Error, requestID string) op.Problem {
	status := op.StatusOf(f)
	p := problemDetails{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: f.Message, Cause: causes[f.Code]}
	if p.Cause == "" {
		p.Cause = string(f.Code)
	}
	if requestID != "" {
		p.Instance = "urn:request:" + requestID
	}
	for _, d := range f.Details {
		p.Invalid = append(p.Invalid, invalidParam{d.Attribute, d.Message})
	}
	if len(p.Invalid) == 0 && f.Attribute != "" {
		p.Invalid = []invalidParam{{f.Attribute, f.Message}}
	}
	body, err := json.Marshal(p)
	if err != nil { // only invalid UTF-8 in a message can do that
		body = []byte(`{"type":"about:blank","status":` + strconv.Itoa(status) + `}`)
	}
	return op.Problem{Status: status, ContentType: "application/problem+json", Body: body}
}

func problemSchema() *huma.Schema {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	return &huma.Schema{
		Type: huma.TypeObject, Description: "A refusal (TS 29.571 ProblemDetails, RFC 9457).",
		Properties: map[string]*huma.Schema{
			"type": text("Always about:blank."), "title": text("The HTTP status in words."), "status": {Type: huma.TypeInteger},
			"detail": text("What is wrong, for people."), "instance": text("Finds the request in the log."), "cause": text("What is wrong, for programs."),
			"invalidParams": {Type: huma.TypeArray, Items: &huma.Schema{
				Type: huma.TypeObject, Required: []string{"param", "reason"},
				Properties: map[string]*huma.Schema{"param": text("Path of the value at fault."), "reason": text("What is wrong with it.")},
			}},
		},
		Required: []string{"type", "title", "status", "detail", "cause"},
	}
}
