package cm

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/demarc-bss/demarc/internal/api/cm/desk"
	"github.com/demarc-bss/demarc/internal/api/op"
	"github.com/demarc-bss/demarc/internal/auth"
	"github.com/demarc-bss/demarc/internal/kernel/fault"
	"github.com/demarc-bss/demarc/internal/kernel/id"
	"github.com/demarc-bss/demarc/internal/kernel/money"
	"github.com/demarc-bss/demarc/internal/store"
	"github.com/demarc-bss/demarc/internal/usage"
)

const (
	usagePath    = desk.Base + "/usage"
	filePath     = usagePath + "/file"
	suspensePath = usagePath + "/suspense"
	// largestFile is how many bytes a file of usage records has at most.
	largestFile = 32 << 20
	fileTime    = 2 * time.Minute
)

func (a *api) usages() []op.Operation {
	const tag = "Usage"
	read := desk.May("usage", auth.Get)
	example := map[string]any{"recordId": "msc1-000017", "msisdn": "41790000001", "usageType": "voice", "start": "2026-01-31T09:30:00Z", "quantity": 61, "otherNumber": "41441234567"}
	return []op.Operation{
		op.Handle(op.Operation{
			ID: "cm.usage.batch", Method: http.MethodPost, Path: usagePath + "/batch", Tag: tag, Summary: "Take usage records in",
			Description: "At most 1,000 records, rated at once. Each is answered by itself: what it was charged, why it waits in suspense, that it came before, or why it is refused. " +
				"A record is known by its source and recordId, so a batch can be sent again.",
			Permission: desk.May("usage", auth.Post), Writes: true, Status: http.StatusOK, BodyLimit: 4 << 20,
			Request: &op.Body{Example: map[string]any{"record": []any{example}}},
		}, a.takeBatch),
		{
			ID: "cm.usage.file.send", Method: http.MethodPost, Path: filePath, Tag: tag, Summary: "Send a file of usage records",
			Description: "CSV with the names of its columns in the first line (recordId, msisdn, usageType, start, quantity and, where wanted, source, direction, duration, " +
				"otherNumber, network, subscriptionId), or JSON, a record a line. A job takes it; its resource tells how far it is, and which rows are no records. The same file " +
				"again is refused, and a record that came before is not charged again.",
			Permission: desk.May("usage", auth.Post), Writes: true, Status: http.StatusAccepted, BodyLimit: largestFile, Timeout: fileTime, Errors: []fault.Kind{fault.Conflict},
			Params: []op.Param{
				{Name: "name", In: "query", Schema: textSchema(), Description: "Name of the file.", Example: "msc1-20260131.csv"},
				{Name: "source", In: "query", Schema: textSchema(), Description: "Who recorded what names no source; `network` by default."},
			},
			Request: &op.Body{
				ContentTypes: []string{"text/csv", "application/x-ndjson", "application/jsonl"}, Schema: textSchema(),
				Example: "recordId,msisdn,usageType,start,quantity,otherNumber\nmsc1-000017,41790000001,voice,2026-01-31T09:30:00Z,61,41441234567\n",
			},
			Response: &op.Body{Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}, Description: "The file, to be asked for until its status is no longer inProgress."},
			Headers:  []op.Param{{Name: "Location", In: "header", Schema: textSchema()}},
			Prepare:  a.prepareFile,
		},
		op.Handle(op.Operation{
			ID: "cm.usage.file.list", Method: http.MethodGet, Path: filePath, Tag: tag, Summary: "List files of usage records",
			Description: "The newest first.", Permission: read, Status: http.StatusOK, Also: desk.Pages(),
		}, a.listFiles),
		op.Handle(op.Operation{
			ID: "cm.usage.file.get", Method: http.MethodGet, Path: filePath + "/{id}", Tag: tag, Summary: "Read how far a file of usage records is taken",
			Description: "With counts, and the first rows that are no records, each with its line, offset and reason.", Permission: read, Status: http.StatusOK,
			Errors: []fault.Kind{fault.NotFound},
		}, a.getFile),
		op.Handle(op.Operation{
			ID: "cm.usage.suspense.list", Method: http.MethodGet, Path: suspensePath, Tag: tag, Summary: "List usage that could not be rated",
			Description: "The oldest first, each with its reason.", Permission: read, Status: http.StatusOK, Also: desk.Pages(),
		}, a.listSuspense),
		op.Handle(op.Operation{
			ID: "cm.usage.suspense.rerate", Method: http.MethodPost, Path: suspensePath + "/rerate", Tag: tag, Summary: "Rate usage again",
			Description: "One usage, by its id, at once: one in suspense as if it came now, one that was charged after what it took was given back. Or, by a job, all " +
				"that is in suspense for a reason, or all when none is given.",
			Permission: desk.May("usage", auth.Patch), Writes: true, Status: http.StatusAccepted, Errors: []fault.Kind{fault.NotFound, fault.Conflict},
			Request: &op.Body{Example: map[string]any{"reason": "noRate"}},
		}, a.rerate),
	}
}

type takeBatchIn struct {
	Body struct {
		Records []usage.Record `json:"record" minItems:"1" maxItems:"1000"`
	}
}

type outcomeView struct {
	ID          id.ID        `json:"id,omitzero" doc:"The usage."`
	Status      usage.Status `json:"status,omitzero"`
	Duplicate   bool         `json:"duplicate,omitzero" doc:"It came before, as that usage."`
	Suspense    usage.Reason `json:"suspenseReason,omitzero"`
	Charged     string       `json:"charged,omitzero" doc:"In the currency of the plan, tax included."`
	Uncollected string       `json:"uncollected,omitzero"`
	Code        fault.Code   `json:"code,omitzero" doc:"Why it is refused, for programs."`
	Attribute   string       `json:"attribute,omitzero"`
	Message     string       `json:"message,omitzero" doc:"Why it is refused, for people."`
}

type takeBatchOut struct {
	Body struct {
		Outcomes []outcomeView `json:"outcome" doc:"One for each record, in their order."`
		Rated    int           `json:"ratedCount"`
		Others   int           `json:"otherCount" doc:"In suspense, come before, or refused."`
	}
}

func (a *api) takeBatch(ctx context.Context, in *takeBatchIn) (*takeBatchOut, error) {
	all, err := a.Usage.Ingest(ctx, in.Body.Records)
	if err != nil {
		return nil, err
	}
	out := &takeBatchOut{}
	out.Body.Outcomes = make([]outcomeView, len(all))
	for n, o := range all {
		v := outcomeView{ID: o.ID, Status: o.Status, Duplicate: o.Duplicate, Suspense: o.Suspense}
		if o.Err != nil {
			f := fault.From(o.Err)
			v.Code, v.Attribute, v.Message = f.Code, f.Attribute, f.Message
		}
		if o.Err == nil && !o.Duplicate && o.Suspense == "" {
			v.Charged = money.OfMicros(o.Charged, "").Decimal()
			out.Body.Rated++
		}
		if o.Uncollected > 0 {
			v.Uncollected = money.OfMicros(o.Uncollected, "").Decimal()
		}
		out.Body.Outcomes[n] = v
	}
	out.Body.Others = len(all) - out.Body.Rated
	return out, nil
}

// prepareFile reads a file before anything is opened: large ones take their time.
func (a *api) prepareFile(r *op.Request) (op.Call, error) {
	media := r.Header.Get("Content-Type")
	format := usage.JSONLines
	if len(media) >= 8 && media[:8] == "text/csv" {
		format = usage.CSV
	}
	name, source := r.Query.Get("name"), r.Query.Get("source")
	if len(name) > 255 || len(source) > 128 {
		return nil, fault.Invalidf("name", "name has at most 255 bytes, and source 128")
	}
	sent, err := usage.Read(name, source, format, r.Body)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) (*op.Response, error) {
		d, err := a.Usage.Send(ctx, sent)
		if err != nil {
			return nil, err
		}
		href := r.BaseURL + filePath + "/" + string(d.ID)
		body, err := shown(d, href)
		return &op.Response{Body: body, Header: http.Header{"Location": {href}}}, err
	}, nil
}

func (a *api) listFiles(ctx context.Context, in *desk.PageIn) (*listOut, error) {
	page, err := a.Usage.Files.Docs(ctx, store.Query{Offset: in.Offset, Limit: in.Limit, Sort: []store.Sort{{Path: []string{"id"}, Desc: true, Type: store.Text}}})
	if err != nil {
		return nil, err
	}
	return listed(*in, filePath, filePath, page)
}

type fileIn struct {
	Request *op.Request
	ID      string `path:"id" doc:"Id of the file."`
}

type fileOut struct {
	ETag string `header:"ETag"`
	Body jsontext.Value
}

func (a *api) getFile(ctx context.Context, in *fileIn) (*fileOut, error) {
	d, err := a.Usage.Files.Doc(ctx, id.ID(in.ID))
	if err != nil {
		return nil, err
	}
	body, err := shown(d, in.Request.BaseURL+filePath+"/"+string(d.ID))
	return &fileOut{ETag: op.ETag(d.Version), Body: body}, err
}

type suspenseIn struct {
	desk.PageIn
	Reason usage.Reason `query:"reason" enum:"incomplete,unknownNumber,lineNotActive,noPlan,noTariff,noRate,tooOld,unrateable" doc:"Only what waits for this reason."`
}

// tmfUsage is where a usage stands by its id.
const tmfUsage = "/tmf-api/usageManagement/v4/usage"

func (a *api) listSuspense(ctx context.Context, in *suspenseIn) (*listOut, error) {
	if err := desk.Said(in.Request, "reason"); err != nil {
		return nil, err
	}
	page, err := a.Usage.Suspense(ctx, in.Reason, in.Offset, in.Limit)
	if err != nil {
		return nil, err
	}
	return listed(in.PageIn, suspensePath, tmfUsage, page)
}

type rerateIn struct {
	Body struct {
		ID     id.ID        `json:"id,omitzero" doc:"One usage, at once."`
		Reason usage.Reason `json:"reason,omitzero" enum:"incomplete,unknownNumber,lineNotActive,noPlan,noTariff,noRate,tooOld,unrateable"`
	}
}

type rerateOut struct {
	Body struct {
		Count int64          `json:"count" doc:"How many are rated again."`
		Usage jsontext.Value `json:"usage,omitempty" doc:"The one usage, as it is now."`
	}
}

func (a *api) rerate(ctx context.Context, in *rerateIn) (*rerateOut, error) {
	out := &rerateOut{}
	if in.Body.ID == "" {
		var err error
		out.Body.Count, err = a.Usage.RerateSuspense(ctx, in.Body.Reason)
		return out, err
	}
	d, err := a.Usage.Rerate(ctx, in.Body.ID)
	if err != nil {
		return nil, err
	}
	out.Body.Count, out.Body.Usage = 1, d.Body
	return out, nil
}

func textSchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }
